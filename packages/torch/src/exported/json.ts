import { ModelFileError } from "../errors.ts";

/** A JSON value. Objects are Maps, so that no key of a file can reach a prototype; integers past 2^53 are bigints. */
export type Json = null | boolean | number | bigint | string | readonly Json[] | ReadonlyMap<string, Json>;

export interface JsonOptions {
  /** Members with this key are checked for balance, but not built (stack traces are half of a program file). */
  readonly skip?: string;
  readonly maxDepth?: number;
  /** Values built, skipped ones not counted. */
  readonly maxValues?: number;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const MAX_NUMBER_LENGTH = 400;
const ESCAPES: Record<number, string> = {
  34: '"',
  92: "\\",
  47: "/",
  98: "\b",
  102: "\f",
  110: "\n",
  114: "\r",
  116: "\t",
};
const NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;
const KEYWORDS: Record<string, Json> = { true: true, false: false, null: null };

/**
 * Parses UTF-8 JSON without recursion and without losing 64-bit integers (JSON.parse turns 9223372036854775807 into 2^63, which
 * wraps). Throws ModelFileError: "corrupt" for what is not JSON (duplicate keys included), "limit" past a limit.
 */
export function parseJson(bytes: Uint8Array, options: JsonOptions = {}): Json {
  return new JsonReader(bytes, options).document();
}

interface Frame {
  readonly list: Json[] | undefined;
  readonly map: Map<string, Json> | undefined;
  key: string;
}

class JsonReader {
  readonly #bytes: Uint8Array;
  readonly #decoder = new TextDecoder("utf-8", { fatal: true });
  readonly #skip: string | undefined;
  readonly #maxDepth: number;
  #budget: number;
  #at = 0;

  constructor(bytes: Uint8Array, { skip, maxDepth = 200, maxValues = 20_000_000 }: JsonOptions) {
    this.#bytes = bytes;
    this.#skip = skip;
    this.#maxDepth = maxDepth;
    this.#budget = maxValues;
  }

  document(): Json {
    const stack: Frame[] = [];
    for (;;) {
      let value = this.#open(stack);
      while (value !== undefined) {
        const frame = stack.at(-1);
        if (frame === undefined) return this.#end(value);
        if (frame.list !== undefined) frame.list.push(value);
        else frame.map!.set(frame.key, value);
        value = this.#separator(frame) ? undefined : this.#close(stack);
      }
    }
  }

  /** Reads a scalar or an empty container and returns it, or enters a container and returns undefined. */
  #open(stack: Frame[]): Json | undefined {
    const byte = this.#peek();
    this.#spend();
    if (byte !== 0x7b && byte !== 0x5b) return this.#scalar(byte);
    if (stack.length >= this.#maxDepth) {
      throw new ModelFileError("limit", `the program's JSON nests deeper than ${this.#maxDepth} levels`);
    }
    this.#at += 1;
    const isMap = byte === 0x7b;
    if (this.#peek() === (isMap ? 0x7d : 0x5d)) {
      this.#at += 1;
      return isMap ? new Map() : [];
    }
    const frame: Frame = { list: isMap ? undefined : [], map: isMap ? new Map() : undefined, key: "" };
    stack.push(frame);
    if (isMap && !this.#nextKey(frame)) return this.#close(stack);
    return undefined;
  }

  /** After a value: true when another one follows in this container. */
  #separator(frame: Frame): boolean {
    const byte = this.#peek();
    if (byte === COMMA) {
      this.#at += 1;
      return frame.map === undefined || this.#nextKey(frame);
    }
    if (byte !== (frame.map === undefined ? 0x5d : 0x7d)) throw this.#bad("a comma or a closing bracket");
    return false;
  }

  #close(stack: Frame[]): Json {
    this.#at += 1;
    const frame = stack.pop()!;
    return frame.list ?? frame.map!;
  }

  /** Reads `"key":`, passing over skipped members; false when the object ends instead. */
  #nextKey(frame: Frame): boolean {
    for (;;) {
      if (this.#peek() !== QUOTE) throw this.#bad("a key");
      const key = this.#string();
      if (this.#peek() !== COLON) throw this.#bad("a colon");
      this.#at += 1;
      if (key !== this.#skip) {
        if (frame.map!.has(key)) throw this.#bad("no key twice in an object");
        frame.key = key;
        return true;
      }
      this.#pass();
      const byte = this.#peek();
      if (byte === 0x7d) return false;
      if (byte !== COMMA) throw this.#bad("a comma or a closing bracket");
      this.#at += 1;
    }
  }

  /** Passes over one value, looking only at brackets and strings. */
  #pass(): void {
    let depth = 0;
    do {
      const byte = this.#peek();
      if (byte === QUOTE) this.#passString();
      else {
        this.#at += 1;
        if (byte === 0x7b || byte === 0x5b) depth += 1;
        else if (byte === 0x7d || byte === 0x5d) depth -= 1;
        else if (depth === 0) this.#passWord();
      }
      if (depth < 0) throw this.#bad("a value");
    } while (depth > 0);
  }

  #passWord(): void {
    while (this.#at < this.#bytes.length && !isDelimiter(this.#bytes[this.#at]!)) this.#at += 1;
  }

  #passString(): void {
    this.#at += 1;
    for (;;) {
      const end = this.#bytes.indexOf(QUOTE, this.#at);
      if (end < 0) throw this.#bad("a closing quote");
      let slashes = 0;
      while (this.#bytes[end - 1 - slashes] === BACKSLASH && end - 1 - slashes >= this.#at) slashes += 1;
      this.#at = end + 1;
      if (slashes % 2 === 0) return;
    }
  }

  #scalar(byte: number): Json {
    if (byte === QUOTE) return this.#string();
    const start = this.#at;
    this.#passWord();
    if (this.#at - start > MAX_NUMBER_LENGTH) throw this.#bad("a shorter number");
    const text = this.#decode(start, this.#at);
    const keyword = KEYWORDS[text];
    if (keyword !== undefined && Object.hasOwn(KEYWORDS, text)) return keyword;
    const match = NUMBER.exec(text);
    if (match === null) throw this.#bad("a value", start);
    const value = Number(text);
    if (match[2] === undefined && match[3] === undefined && !Number.isSafeInteger(value)) return BigInt(text);
    return value;
  }

  #string(): string {
    const start = this.#at + 1;
    this.#passString();
    const end = this.#at - 1;
    const text = this.#decode(start, end);
    for (let i = start; i < end; i++) if (this.#bytes[i]! < 0x20) throw this.#bad("no control character", i);
    return text.includes("\\") ? this.#unescape(text) : text;
  }

  #unescape(text: string): string {
    return text.replace(/\\(u[0-9a-fA-F]{4}|[\s\S]?)/g, (_, what: string) => {
      if (what.length === 5) return String.fromCharCode(Number.parseInt(what.slice(1), 16));
      const plain = ESCAPES[what.charCodeAt(0)];
      if (plain === undefined) throw this.#bad("a known escape");
      return plain;
    });
  }

  #decode(start: number, end: number): string {
    try {
      return this.#decoder.decode(this.#bytes.subarray(start, end));
    } catch (error) {
      throw new ModelFileError("corrupt", `the program's JSON is not UTF-8 near byte ${start}`, {
        cause: error,
      });
    }
  }

  #peek(): number {
    const bytes = this.#bytes;
    while (this.#at < bytes.length) {
      const byte = bytes[this.#at]!;
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return byte;
      this.#at += 1;
    }
    throw this.#bad("more input");
  }

  #end(value: Json): Json {
    while (this.#at < this.#bytes.length) {
      if (!isSpace(this.#bytes[this.#at]!)) throw this.#bad("the end of the document");
      this.#at += 1;
    }
    return value;
  }

  #spend(): void {
    this.#budget -= 1;
    if (this.#budget < 0) throw new ModelFileError("limit", "the program's JSON holds too many values");
  }

  #bad(expected: string, at = this.#at): ModelFileError {
    return new ModelFileError("corrupt", `the program's JSON is broken at byte ${at}: expected ${expected}`);
  }
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

function isDelimiter(byte: number): boolean {
  return (
    byte === COMMA || byte === 0x5d || byte === 0x7d || byte === COLON || byte === QUOTE || isSpace(byte)
  );
}

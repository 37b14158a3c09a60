import { MAX_NUMBER_CHARS, newNumberLiteral, readNumber } from "@sconce/protocol";
import { ServeError } from "../../base/errors.ts";

/** Which values of a document to leave as bytes: a tree that follows its keys and items. */
export interface Pattern {
  readonly capture?: true;
  readonly keys?: Readonly<Record<string, Pattern>>;
  /** For keys not named in `keys`. */
  readonly anyKey?: Pattern;
  readonly items?: Pattern;
}

export interface Span {
  readonly start: number;
  readonly end: number;
}

export interface ScanLimits {
  readonly maxJsonDepth: number;
  /** Bytes outside captured values. */
  readonly maxEnvelopeBytes: number;
}

/** An array or object that is open. */
interface Frame {
  readonly isObject: boolean;
  readonly pattern: Pattern | undefined;
  /** Start and end of each key seen, in pairs; replaced by `names` when there are many or one has escapes. */
  readonly keys: number[];
  names: Set<string> | undefined;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const COMMA = 0x2c;
const COLON = 0x3a;

// Bytes that mean something while a captured value is skipped.
const PLAIN = 0;
const OPENS = 1;
const CLOSES = 2;
const STRING = 3;
const SEPARATES = 4;
const CLASS = new Uint8Array(256);
CLASS[OPEN_BRACE] = CLASS[OPEN_BRACKET] = OPENS;
CLASS[CLOSE_BRACE] = CLASS[CLOSE_BRACKET] = CLOSES;
CLASS[QUOTE] = STRING;
CLASS[COMMA] = SEPARATES;

/** Objects with more keys than this look for duplicates in a set. */
const MANY_KEYS = 16;

/**
 * Walks a JSON text once, without recursion, before anybody parses it: finds the values that `pattern` captures, and refuses what would
 * be dangerous or ambiguous to parse — nesting past the limit, duplicate keys, endless numbers — and broken structure. The
 * inside of captured values is only measured; whoever decodes them checks them. Throws `invalid_argument` with the byte position.
 */
export class JsonScanner {
  readonly spans: Span[] = [];
  readonly #bytes: Buffer;
  readonly #end: number;
  readonly #limits: ScanLimits;
  readonly #literal = newNumberLiteral();
  readonly #frames: Frame[] = [];
  #at: number;
  #captured = 0;

  constructor(bytes: Buffer, span: Span, limits: ScanLimits) {
    this.#bytes = bytes;
    this.#at = span.start;
    this.#end = span.end;
    this.#limits = limits;
  }

  scan(pattern: Pattern): readonly Span[] {
    const start = this.#at;
    let next: Pattern | undefined = pattern;
    for (;;) {
      const opened = this.#value(next);
      if (this.#at - start - this.#captured > this.#limits.maxEnvelopeBytes) {
        throw this.#bad(
          `has more than ${this.#limits.maxEnvelopeBytes} bytes outside tensor data`,
          "envelope_too_large",
        );
      }
      const frame = opened ? this.#frames.at(-1)! : this.#afterValue();
      if (frame === undefined) return this.spans;
      next = frame.isObject ? this.#key(frame) : frame.pattern?.items;
    }
  }

  /** Steps over a value that is complete, or opens a container that has contents (true). */
  #value(pattern: Pattern | undefined): boolean {
    this.#skipSpace();
    if (pattern?.capture === true) {
      this.#capture();
      return false;
    }
    const c = this.#peek();
    if (c === OPEN_BRACE || c === OPEN_BRACKET) return this.#open(c === OPEN_BRACE, pattern);
    if (c === QUOTE) {
      this.#at = this.#skipString(this.#at + 1);
    } else if (readNumber(this.#bytes, this.#at, this.#end, this.#literal)) {
      if (this.#literal.end - this.#at > MAX_NUMBER_CHARS) {
        throw this.#bad(`has a number longer than ${MAX_NUMBER_CHARS} characters at byte ${this.#at}`);
      }
      this.#at = this.#literal.end;
    } else this.#word();
    return false;
  }

  #open(isObject: boolean, pattern: Pattern | undefined): boolean {
    if (this.#frames.length === this.#limits.maxJsonDepth) throw this.#tooDeep();
    this.#at++;
    this.#skipSpace();
    if (this.#peek() === (isObject ? CLOSE_BRACE : CLOSE_BRACKET)) {
      this.#at++;
      return false;
    }
    this.#frames.push({ isObject, pattern, keys: [], names: undefined });
    return true;
  }

  /** Closes what ends here and steps over a comma; the container that goes on, or undefined at the end of the text. */
  #afterValue(): Frame | undefined {
    for (;;) {
      this.#skipSpace();
      const frame = this.#frames.at(-1);
      if (frame === undefined) {
        if (this.#at < this.#end) throw this.#unexpected("the end of the text");
        return undefined;
      }
      const c = this.#peek();
      this.#at++;
      if (c === COMMA) return frame;
      if (c !== (frame.isObject ? CLOSE_BRACE : CLOSE_BRACKET)) {
        this.#at--;
        throw this.#unexpected(frame.isObject ? '"," or "}"' : '"," or "]"');
      }
      this.#frames.pop();
    }
  }

  /** Reads a key and its colon; the pattern of its value. */
  #key(frame: Frame): Pattern | undefined {
    this.#skipSpace();
    if (this.#peek() !== QUOTE) throw this.#unexpected("a key in double quotes");
    const start = this.#at + 1;
    this.#at = this.#skipString(start);
    const end = this.#at - 1;
    this.#refuseDuplicate(frame, start, end);
    this.#skipSpace();
    if (this.#peek() !== COLON) throw this.#unexpected('":"');
    this.#at++;
    const { pattern } = frame;
    if (pattern === undefined) return undefined;
    if (pattern.keys !== undefined) {
      const name = this.#bytes.toString("latin1", start, end);
      if (Object.hasOwn(pattern.keys, name)) return pattern.keys[name];
    }
    return pattern.anyKey;
  }

  #refuseDuplicate(frame: Frame, start: number, end: number): void {
    const { keys } = frame;
    const escaped = this.#bytes.subarray(start, end).includes(BACKSLASH);
    if (frame.names === undefined && (escaped || keys.length === MANY_KEYS * 2)) {
      frame.names = new Set();
      for (let i = 0; i < keys.length; i += 2)
        frame.names.add(this.#bytes.toString("utf8", keys[i]!, keys[i + 1]!));
    }
    if (frame.names === undefined) {
      for (let i = 0; i < keys.length; i += 2) {
        if (keys[i + 1]! - keys[i]! === end - start && this.#same(keys[i]!, start, end - start))
          throw this.#duplicate(start, end);
      }
      keys.push(start, end);
      return;
    }
    const name = escaped ? this.#unescape(start, end) : this.#bytes.toString("utf8", start, end);
    if (frame.names.has(name)) throw this.#duplicate(start, end);
    frame.names.add(name);
  }

  #same(a: number, b: number, length: number): boolean {
    for (let i = 0; i < length; i++) if (this.#bytes[a + i] !== this.#bytes[b + i]) return false;
    return true;
  }

  #unescape(start: number, end: number): string {
    try {
      return JSON.parse(this.#bytes.toString("utf8", start - 1, end + 1)) as string;
    } catch (cause) {
      throw new ServeError(
        "invalid_argument",
        `the JSON text has an invalid escape in the key at byte ${start}`,
        {
          reason: "bad_json",
          cause,
        },
      );
    }
  }

  #capture(): void {
    const start = this.#at;
    this.#at = this.#skipValue();
    if (this.#at === start) throw this.#unexpected("a value");
    this.#captured += this.#at - start;
    this.spans.push({ start, end: this.#at });
  }

  /** Where the value that starts here ends, by its brackets and quotes alone. */
  #skipValue(): number {
    const bytes = this.#bytes;
    const end = this.#end;
    const maxDepth = this.#limits.maxJsonDepth - this.#frames.length;
    let depth = 0;
    let i = this.#at;
    while (i < end) {
      const kind = CLASS[bytes[i]!]!;
      if (kind === PLAIN) {
        i++;
      } else if (kind === STRING) {
        i = this.#skipString(i + 1);
      } else if (kind === OPENS) {
        if (depth++ === maxDepth) throw this.#tooDeep();
        i++;
      } else if (kind === CLOSES) {
        if (depth === 0) return i;
        i++;
        if (--depth === 0) return i;
      } else {
        if (depth === 0) return i;
        i++;
      }
    }
    return end;
  }

  /** The byte after the closing quote of the string whose contents start at `start`. */
  #skipString(start: number): number {
    const bytes = this.#bytes;
    const end = this.#end;
    for (let i = start; i < end; i++) {
      const c = bytes[i]!;
      if (c === QUOTE) return i + 1;
      if (c === BACKSLASH) i++;
      else if (c < 0x20) throw this.#bad(`has a control character in the string at byte ${start - 1}`);
    }
    throw this.#bad(`ends inside the string that starts at byte ${start - 1}`);
  }

  #word(): void {
    for (const word of ["true", "false", "null"]) {
      if (this.#bytes.toString("latin1", this.#at, Math.min(this.#end, this.#at + word.length)) === word) {
        this.#at += word.length;
        return;
      }
    }
    throw this.#unexpected("a value");
  }

  #skipSpace(): void {
    const bytes = this.#bytes;
    let i = this.#at;
    for (; i < this.#end; i++) {
      const c = bytes[i]!;
      if (c !== 0x20 && c !== 0x0a && c !== 0x0d && c !== 0x09) break;
    }
    this.#at = i;
  }

  /** The byte here; 0, which no JSON text contains, at the end. */
  #peek(): number {
    return this.#at < this.#end ? this.#bytes[this.#at]! : 0;
  }

  #unexpected(expected: string): ServeError {
    const what = this.#at >= this.#end ? "ends" : "is broken";
    return this.#bad(`${what} at byte ${this.#at}, where ${expected} was expected`);
  }

  #duplicate(start: number, end: number): ServeError {
    const name = this.#bytes.toString("utf8", start, Math.min(end, start + 64));
    return this.#bad(
      `has the key ${JSON.stringify(name)} twice in one object (byte ${start})`,
      "duplicate_key",
    );
  }

  #tooDeep(): ServeError {
    return this.#bad(`is nested deeper than ${this.#limits.maxJsonDepth} levels`, "json_too_deep");
  }

  #bad(problem: string, reason = "bad_json"): ServeError {
    return new ServeError("invalid_argument", `the JSON text ${problem}`, { reason });
  }
}

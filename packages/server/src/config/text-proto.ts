import { ServeError } from "../base/errors.ts";

const MAX_BYTES = 2 ** 20;
const MAX_DEPTH = 32;
/** Fields and values. */
const MAX_VALUES = 10_000;

/** The fields of a message in protobuf's text format, in their order; a field that comes twice has two values. */
export type TextMessage = ReadonlyMap<string, readonly TextValue[]>;

/** A number, a truth or a name of an enumeration is a `word`; what it means depends on the field, which only the reader's caller knows. */
export type TextValue =
  | { readonly kind: "message"; readonly fields: TextMessage; readonly line: number }
  | { readonly kind: "string"; readonly text: string; readonly line: number }
  | { readonly kind: "word"; readonly text: string; readonly line: number }
  /** A text or a name: JSON spells both in quotes. */
  | { readonly kind: "either"; readonly text: string; readonly line: number };

interface Token {
  readonly kind: "mark" | "word" | "string" | "end";
  readonly text: string;
  readonly line: number;
}

const SPACE = /(?:[ \t\r\n\f\v]|#[^\n]*)*/y;
const WORD = /[A-Za-z_][A-Za-z0-9_]*|\.?[0-9][A-Za-z0-9_.]*(?:(?<=[eE])[+-][0-9]+[fF]?)?/y;
const MARK = /[{}[\]<>:,;-]/y;
const QUOTED = /"((?:[^"\\\n]|\\[^\n])*)"|'((?:[^'\\\n]|\\[^\n])*)'/y;
const ESCAPE = /\\(?:([0-7]{1,3})|[xX]([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))/gs;
const LETTERS: Readonly<Record<string, string>> = {
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
  "?": "?",
  "\\": "\\",
  "'": "'",
  '"': '"',
};

/**
 * Reads protobuf's text format without a schema: messages in braces or angle brackets, lists, strings that follow each other, comments.
 * At most 1 MiB, 10,000 values, depth 32; no extensions or Any. Throws `invalid_argument`/`bad_config_file` with the line.
 */
export function parseTextProto(text: string, name: string): TextMessage {
  if (Buffer.byteLength(text) > MAX_BYTES)
    throw new ServeError("invalid_argument", `${name}: larger than ${MAX_BYTES} bytes`, {
      reason: "bad_config_file",
    });
  return new Parser(text, name).whole();
}

class Parser {
  readonly #text: string;
  readonly #name: string;
  #at = 0;
  #line = 1;
  #values = 0;
  #token: Token;

  constructor(text: string, name: string) {
    this.#text = text;
    this.#name = name;
    this.#token = this.#read();
  }

  whole(): TextMessage {
    const fields = this.#fields("", 0);
    if (this.#token.kind !== "end") throw this.#unexpected("a field");
    return fields;
  }

  #fields(closing: string, depth: number): TextMessage {
    if (depth > MAX_DEPTH) throw this.#fail(`nested deeper than ${MAX_DEPTH}`);
    const fields = new Map<string, TextValue[]>();
    while (this.#token.kind !== "end" && this.#token.text !== closing) {
      const field = this.#token;
      if (field.kind !== "word" || !/^[A-Za-z_]/.test(field.text)) throw this.#unexpected("a field's name");
      this.#next();
      const values = fields.get(field.text) ?? [];
      fields.set(field.text, values);
      const hasColon = this.#skip(":");
      if (!hasColon && !["{", "<", "["].some((mark) => this.#isAt(mark)))
        throw this.#unexpected("':' or '{'");
      if (this.#skip("[")) this.#list(values, depth);
      else values.push(this.#value(depth));
      if (!this.#skip(",")) this.#skip(";");
    }
    return fields;
  }

  #list(values: TextValue[], depth: number): void {
    if (this.#skip("]")) return;
    do values.push(this.#value(depth));
    while (this.#skip(","));
    if (!this.#skip("]")) throw this.#unexpected("',' or ']'");
  }

  #value(depth: number): TextValue {
    if (++this.#values > MAX_VALUES) throw this.#fail(`more than ${MAX_VALUES} values`);
    const { line } = this.#token;
    for (const [open, close] of ["{}", "<>"] as const) {
      if (!this.#skip(open!)) continue;
      const fields = this.#fields(close!, depth + 1);
      if (!this.#skip(close!)) throw this.#unexpected(`'${close}'`);
      return { kind: "message", fields, line };
    }
    if (this.#token.kind === "string") {
      const parts: string[] = [];
      for (; this.#token.kind === "string"; this.#next()) parts.push(this.#token.text);
      return { kind: "string", text: parts.join(""), line };
    }
    const sign = this.#skip("-") ? "-" : "";
    const { kind, text } = this.#token;
    if (kind !== "word") throw this.#unexpected("a value");
    this.#next();
    return { kind: "word", text: sign + text, line };
  }

  #isAt(mark: string): boolean {
    return this.#token.kind === "mark" && this.#token.text === mark;
  }

  #skip(mark: string): boolean {
    if (!this.#isAt(mark)) return false;
    this.#next();
    return true;
  }

  #next(): void {
    this.#token = this.#read();
  }

  #read(): Token {
    const space = this.#match(SPACE)?.[0] ?? "";
    for (let i = space.indexOf("\n"); i >= 0; i = space.indexOf("\n", i + 1)) this.#line++;
    const line = this.#line;
    if (this.#at === this.#text.length) return { kind: "end", text: "the end of the file", line };
    const word = this.#match(WORD);
    if (word !== null) return { kind: "word", text: word[0], line };
    const mark = this.#match(MARK);
    if (mark !== null) return { kind: "mark", text: mark[0], line };
    const quoted = this.#match(QUOTED);
    if (quoted === null) throw this.#fail("neither a name, a number, a text nor a mark");
    return { kind: "string", text: this.#unescape(quoted[1] ?? quoted[2] ?? ""), line };
  }

  #match(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text);
    if (found !== null) this.#at = pattern.lastIndex;
    return found;
  }

  #unescape(text: string): string {
    if (!text.includes("\\")) return text;
    return text.replace(
      ESCAPE,
      (_, octal?: string, hex?: string, u?: string, wide?: string, letter?: string) => {
        if (octal !== undefined) return String.fromCharCode(Number.parseInt(octal, 8) & 0xff);
        const code = hex ?? u ?? wide;
        if (code === undefined) {
          const meant = LETTERS[letter ?? ""];
          if (meant === undefined) throw this.#fail(`unknown escape \\${letter}`);
          return meant;
        }
        const point = Number.parseInt(code, 16);
        if (point > 0x10ffff) throw this.#fail("no such character");
        return String.fromCodePoint(point);
      },
    );
  }

  #unexpected(wanted: string): ServeError {
    const { kind, text } = this.#token;
    const shown = kind === "end" ? text : JSON.stringify(text.slice(0, 40));
    return this.#fail(`expected ${wanted}, got ${shown}`, this.#token.line);
  }

  #fail(why: string, line = this.#line): ServeError {
    return new ServeError("invalid_argument", `${this.#name} line ${line}: ${why}`, {
      reason: "bad_config_file",
    });
  }
}

import { ServeError } from "../base/errors.ts";
import type { TextMessage, TextValue } from "./text-proto.ts";

/** Reads the fields of one message by their types. Everything throws `invalid_argument`/`bad_config_file` naming file, line and field. */
export class TextFields {
  readonly #file: string;
  readonly #fields: TextMessage;

  constructor(file: string, fields: TextMessage) {
    this.#file = file;
    this.#fields = fields;
  }

  names(): Iterable<string> {
    return this.#fields.keys();
  }

  has(name: string): boolean {
    return this.#fields.has(name);
  }

  text(name: string): string | undefined {
    return this.texts(name).at(-1);
  }

  texts(name: string): string[] {
    return this.#all(name, "a text in quotes", (value) =>
      value.kind === "string" || value.kind === "either" ? value.text : undefined,
    );
  }

  /** A name of an enumeration. */
  word(name: string): string | undefined {
    return this.words(name).at(-1);
  }

  words(name: string): string[] {
    return this.#all(name, "a name", (value) =>
      value.kind === "word" || value.kind === "either" ? value.text : undefined,
    );
  }

  /** Numbers that need not be whole. */
  decimals(name: string): number[] {
    return this.#all(name, "a number", (value) => {
      if (value.kind === "message" || value.kind === "string") return undefined;
      const isNumber = /^-?(?:[0-9]{1,30}\.?[0-9]{0,30}|\.[0-9]{1,30})(?:[eE][-+]?[0-9]{1,3})?f?$/.test(
        value.text,
      );
      return isNumber ? Number(value.text.replace(/f$/, "")) : undefined;
    });
  }

  flag(name: string): boolean {
    const word = this.word(name);
    return word === "true" || word === "True" || word === "t" || word === "1";
  }

  number(name: string): number | undefined {
    return this.numbers(name).at(-1);
  }

  numbers(name: string): number[] {
    return this.#all(name, "a whole number", (value) => {
      if (
        value.kind === "message" ||
        value.kind === "string" ||
        !/^-?(?:0[xX][0-9a-fA-F]{1,13}|[0-9]{1,16})$/.test(value.text)
      )
        return undefined;
      const digits = value.text.replace("-", "");
      const number = /^0[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : Number(digits);
      return Number.isSafeInteger(number) ? (value.text.startsWith("-") ? -number : number) : undefined;
    });
  }

  message(name: string): TextFields | undefined {
    return this.messages(name).at(-1);
  }

  messages(name: string): TextFields[] {
    return this.#all(name, "a message in braces", (value) =>
      value.kind === "message" ? new TextFields(this.#file, value.fields) : undefined,
    );
  }

  /** A map field: its entries are messages of a key and a value. */
  map(name: string): Map<string, TextFields> {
    const entries = this.messages(name).map((entry): [string, TextFields] => [
      entry.text("key") ?? "",
      entry.message("value") ?? new TextFields(this.#file, new Map()),
    ]);
    return new Map(entries);
  }

  /** Throws for a field that `known` does not have. */
  only(known: readonly string[], where: string): void {
    const other = [...this.#fields.keys()].find((name) => !known.includes(name));
    if (other === undefined) return;
    const line = this.#fields.get(other)?.[0]?.line;
    throw this.fail(`${where} has no field ${JSON.stringify(other.slice(0, 60))}`, line);
  }

  fail(why: string, line?: number): ServeError {
    const place = line === undefined || line === 0 ? this.#file : `${this.#file} line ${line}`;
    return new ServeError("invalid_argument", `${place}: ${why}`, { reason: "bad_config_file" });
  }

  #all<T>(name: string, wanted: string, read: (value: TextValue) => T | undefined): T[] {
    return (this.#fields.get(name) ?? []).map((value) => {
      const got = read(value);
      if (got === undefined) throw this.fail(`${name}: expected ${wanted}`, value.line);
      return got;
    });
  }
}

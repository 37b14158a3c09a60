import { ModelFileError } from "../errors.ts";
import type { Json } from "./json.ts";

export type JsonMap = ReadonlyMap<string, Json>;

/** Typed access to parsed JSON; `what` names the place in the message of the ModelFileError("corrupt") they throw. */
export function asMap(value: Json | undefined, what: string): JsonMap {
  if (value instanceof Map) return value;
  throw wrong(what, "an object");
}

export function asList(value: Json | undefined, what: string): readonly Json[] {
  if (Array.isArray(value)) return value;
  throw wrong(what, "a list");
}

export function asString(value: Json | undefined, what: string): string {
  if (typeof value === "string") return value;
  throw wrong(what, "a string");
}

export function asBool(value: Json | undefined, what: string): boolean {
  if (typeof value === "boolean") return value;
  throw wrong(what, "true or false");
}

/** An integer that a double holds exactly: sizes, offsets, enum values. */
export function asInt(value: Json | undefined, what: string): number {
  if (typeof value === "number" && Number.isSafeInteger(value)) return value;
  throw wrong(what, "an integer");
}

/** An integer of up to 64 bits: a number when it is exact, else a bigint. */
export function asInt64(value: Json | undefined, what: string): number | bigint {
  if (typeof value === "bigint") {
    if (BigInt.asIntN(64, value) !== value) throw wrong(what, "an integer of 64 bits");
    return value;
  }
  return asInt(value, what);
}

/** A float; infinities and NaN are strings in program files. */
export function asFloat(value: Json | undefined, what: string): number {
  if (typeof value === "number") return value;
  if (typeof value === "bigint") return Number(value);
  if (value === "Infinity") return Number.POSITIVE_INFINITY;
  if (value === "-Infinity") return Number.NEGATIVE_INFINITY;
  if (value === "NaN") return Number.NaN;
  throw wrong(what, "a number");
}

/** The one member of a union such as `{"as_int": 3}`. */
export function union(value: Json | undefined, what: string): readonly [string, Json] {
  const map = asMap(value, what);
  // Files of torch 2.1 spell unions out with nulls for the other members.
  const entries = map.size === 1 ? [...map] : [...map].filter(([, member]) => member !== null);
  const [first] = entries;
  if (entries.length !== 1 || first === undefined) throw wrong(what, "an object with one member");
  return first;
}

function wrong(what: string, expected: string): ModelFileError {
  return new ModelFileError("corrupt", `the program file is broken: ${what} must be ${expected}`);
}

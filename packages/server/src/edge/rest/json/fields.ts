import { type ReasonOf, ServeError } from "../../../base/errors.ts";
import { nameOf } from "./envelope.ts";

/** A parsed JSON object. Read it by known keys only: keys of the client's choice go through `Object.keys` into a Map. */
export type JsonObject = Readonly<Record<string, unknown>>;

const MAX_TEXT = 1024;

export function bad(
  field: string,
  problem: string,
  reason: ReasonOf<"invalid_argument"> = "bad_request",
): ServeError {
  return new ServeError("invalid_argument", `${field}: ${problem}`, { reason });
}

/** The object under `key`, or undefined when the key is absent or null. */
export function optionalObject(object: JsonObject, key: string, field: string): JsonObject | undefined {
  const value = optionalValue(object, key);
  if (value === undefined) return undefined;
  if (typeof value !== "object" || Array.isArray(value)) {
    throw bad(field, `expected an object, got ${nameOf(value)}`);
  }
  return value as JsonObject;
}

export function requiredArray(object: JsonObject, key: string, field: string): readonly unknown[] {
  const value = ownValue(object, key);
  if (!Array.isArray(value)) throw bad(field, `expected an array, got ${nameOf(value)}`);
  return value;
}

/** A non-empty string of at most 1024 characters. */
export function requiredText(object: JsonObject, key: string, field: string): string {
  const value = ownValue(object, key);
  if (typeof value !== "string") throw bad(field, `expected a string, got ${nameOf(value)}`);
  if (value === "" || value.length > MAX_TEXT)
    throw bad(field, `expected 1 to ${MAX_TEXT} characters, got ${value.length}`);
  return value;
}

export function optionalBoolean(
  object: JsonObject | undefined,
  key: string,
  field: string,
): boolean | undefined {
  const value = object === undefined ? undefined : optionalValue(object, key);
  if (value !== undefined && typeof value !== "boolean")
    throw bad(field, `expected true or false, got ${nameOf(value)}`);
  return value;
}

/** A whole number from 0 to 2^53 − 1. */
export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** The value of a field that may be left out. Clients that write all fields of a type (MLServer's) write null for those that they leave out. */
export function optionalValue(object: JsonObject, key: string): unknown {
  return ownValue(object, key) ?? undefined;
}

/** Never reads what an object inherits, whatever the key. */
export function ownValue(object: JsonObject, key: string): unknown {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ModelFileError } from "../errors.ts";
import { type Json, type JsonOptions, parseJson } from "./json.ts";

const parse = (text: string, options?: JsonOptions): Json =>
  parseJson(new TextEncoder().encode(text), options);
const failsWith =
  (kind: string) =>
  (error: unknown): boolean =>
    error instanceof ModelFileError && error.kind === kind;

/** What JSON.parse gives, with Maps for objects. */
function mapped(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(mapped);
  if (typeof value !== "object" || value === null) return value;
  return new Map(Object.entries(value).map(([key, item]) => [key, mapped(item)]));
}

test("any JSON without large integers reads as JSON.parse reads it", () => {
  const isSafe = (text: string): boolean => !/\d{16}/.test(text);
  fc.assert(
    fc.property(fc.json().filter(isSafe), (text) => {
      assert.deepEqual(parse(text), mapped(JSON.parse(text)));
    }),
    { numRuns: 500 },
  );
});

test("64-bit integers keep every digit", () => {
  const text = "[9223372036854775807,-9223372036854775808,9007199254740993,9007199254740991,1e3]";
  assert.deepEqual(parse(text), [2n ** 63n - 1n, -(2n ** 63n), 9007199254740993n, 9007199254740991, 1000]);
});

test("members that are skipped leave no trace, whatever they hold", () => {
  const text =
    '{"a":1,"metadata":{"x":["}","\\"]",{"metadata":[]}]},"b":[{"metadata":"z"}],"metadata":-1.5e3}';
  const expected = new Map<string, unknown>([
    ["a", 1],
    ["b", [new Map()]],
  ]);
  assert.deepEqual(parse(text, { skip: "metadata" }), expected);
});

test("a key named __proto__ is a key like any other", () => {
  assert.deepEqual(parse('{"__proto__":{"x":1}}'), new Map([["__proto__", new Map([["x", 1]])]]));
});

for (const text of [
  "",
  "[",
  "{",
  '{"a"',
  '{"a":',
  '{"a":1',
  '{"a":1,}',
  "[1,]",
  "[1 2]",
  "01",
  "1.",
  "+1",
  "nul",
  "tru e",
  '"\\x"',
  '"\\u12"',
  '"\n"',
  '"open',
  "[1]]",
  '{"a":1,"a":2}',
  "{1:2}",
  "constructor",
  "NaN",
]) {
  test(`${JSON.stringify(text)} is not JSON`, () => {
    assert.throws(() => parse(text), failsWith("corrupt"));
  });
}

test("nesting is limited without recursion", () => {
  const nested = (depth: number): string => "[".repeat(depth) + "]".repeat(depth);
  assert.doesNotThrow(() => parse(nested(200)));
  assert.throws(() => parse(nested(202)), failsWith("limit"));
  assert.throws(() => parse(nested(1_000_000)), failsWith("limit"));
});

test("the number of values is limited", () => {
  assert.deepEqual(parse("[1,2]", { maxValues: 3 }), [1, 2]);
  assert.throws(() => parse("[1,2,3]", { maxValues: 3 }), failsWith("limit"));
});

test("invalid UTF-8 is refused", () => {
  assert.throws(() => parseJson(new Uint8Array([0x22, 0xff, 0x22])), failsWith("corrupt"));
});

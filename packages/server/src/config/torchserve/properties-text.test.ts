import assert from "node:assert/strict";
import { test } from "node:test";
import { parseProperties } from "./properties-text.ts";

const parsed = (text: string): Record<string, string> => Object.fromEntries(parseProperties(text, "c"));

test("properties are read as Java reads them", () => {
  for (const [text, expected] of [
    ["", {}],
    ["# a comment\n! another\n\n a=1", { a: "1" }],
    ["a=1\r\nb: 2\rc 3\nd\t=\t4 ", { a: "1", b: "2", c: "3", d: "4 " }],
    ["a", { a: "" }],
    ["a==b", { a: "=b" }],
    ["a=x # no comment", { a: "x # no comment" }],
    ["a=1\na=2", { a: "2" }],
    ['models={\\\n  "m": {\\\n  }\\\n}\nb=1', { models: '{"m": {}}', b: "1" }],
    ["a=1\\\n# goes on", { a: "1# goes on" }],
    ["a=c:\\\\dir\\\\\nb=1", { a: "c:\\dir\\", b: "1" }],
    ["a\\ b\\=c=d", { "a b=c": "d" }],
    ["a=\\u0041\\t\\q", { a: "A\tq" }],
    ["a=1\\", { a: "1" }],
  ] as const)
    assert.deepEqual(parsed(text), expected, JSON.stringify(text));
});

test("a megabyte of backslashes is read as quickly as any other", () => {
  // A test of time that only a quadratic reader fails: it would take hours.
  const slashes = "\\".repeat(2 ** 20 - 4);
  assert.equal(parsed(`a=${slashes}b`)["a"]?.length, (2 ** 20 - 4) / 2 + 1);
});

test("a file without end is refused", () => {
  assert.throws(() => parsed(`a=${"x".repeat(2 ** 20)}`), { reason: "bad_config_file" });
  const keys = Array.from({ length: 10_001 }, (_, index) => `k${index}=`).join("\n");
  assert.throws(() => parsed(keys), /more than 10000 keys/);
});

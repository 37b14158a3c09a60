import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseTextProto, type TextMessage } from "./text-proto.ts";

/** Fields and values as plain data. */
function plain(fields: TextMessage): object {
  const entries = [...fields].map(([name, values]) => [
    name,
    values.map((value) => (value.kind === "message" ? plain(value.fields) : value.text)),
  ]);
  return Object.fromEntries(entries);
}

function read(text: string): object {
  return plain(parseTextProto(text, "config.pbtxt"));
}

describe("protobuf's text format", () => {
  const CASES: readonly (readonly [string, object])[] = [
    ["", {}],
    ["# a comment only", {}],
    ['name: "a"', { name: ["a"] }],
    ["name: 'it\"s' # why", { name: ['it"s'] }],
    ['name: "a" "b"\n  \'c\'', { name: ["abc"] }],
    ['name: "\\n\\x41\\101\\u00e4\\\\"', { name: ["\nAA\u00e4\\"] }],
    ["size: 8;", { size: ["8"] }],
    ["size: -1, size: 0x10", { size: ["-1", "0x10"] }],
    ["rate: 1e-3 rate: 1.5f rate: .5 rate: - 2", { rate: ["1e-3", "1.5f", ".5", "-2"] }],
    ["dims: [ 3, 224, -1 ]", { dims: ["3", "224", "-1"] }],
    ["dims: []", { dims: [] }],
    ["kind: KIND_CPU flag: true", { kind: ["KIND_CPU"], flag: ["true"] }],
    ["a { b: 1 } a: { b: 2 } a < b: 3 >", { a: [{ b: ["1"] }, { b: ["2"] }, { b: ["3"] }] }],
    ["a [ { b: 1 }, { b: 2 } ]", { a: [{ b: ["1"] }, { b: ["2"] }] }],
    ["a: [ { b: 1 }, { b: 2 } ]", { a: [{ b: ["1"] }, { b: ["2"] }] }],
  ];
  for (const [text, expected] of CASES) {
    test(JSON.stringify(text), () => assert.deepEqual(read(text), expected));
  }
});

describe("what is not protobuf's text format is refused with its line", () => {
  const CASES: readonly (readonly [string, RegExp])[] = [
    ["name", /^config\.pbtxt line 1: expected ':' or '\{', got the end of the file$/],
    ["\n\nname: {", /line 3: expected '\}', got the end/],
    ["a: 1 }", /line 1: expected a field's name, got "\}"/],
    ["a: [1 2]", /line 1: expected ',' or '\]', got "2"/],
    ['a: "x\n"', /line 1: neither a name/],
    ['a: "\\q"', /line 1: unknown escape/],
    ["a: }", /expected a value/],
    ["1: 2", /expected a field's name/],
    ["a: \u0000", /neither a name/],
    ["{".repeat(100_000), /expected a field's name/],
    ["a{".repeat(100_000), /nested deeper than 32/],
    ["a:1 ".repeat(100_000), /more than 10000 values/],
    [`a: [${"1,".repeat(200_000)}1]`, /more than 10000 values/],
    [`# ${"x".repeat(2 ** 20)}`, /larger than 1048576 bytes/],
  ];
  for (const [text, expected] of CASES) {
    test(JSON.stringify(text.slice(0, 20)), () => {
      assert.throws(() => read(text), {
        code: "invalid_argument",
        reason: "bad_config_file",
        message: expected,
      });
    });
  }

  test("whatever was cut off or changed is read or refused in words", () => {
    const whole =
      'name: "m" max_batch_size: 8 input [ { name: "x" data_type: TYPE_FP32 dims: [ 3, -1 ] } ] # end';
    const marks = ['"', "{", "}", "[", "]", ":", "\\", "\n", "\u0000", "9"];
    for (let at = 0; at < whole.length; at++) {
      for (const mark of ["", ...marks]) {
        for (const text of [whole.slice(0, at) + mark, whole.slice(0, at) + mark + whole.slice(at + 1)]) {
          try {
            read(text);
          } catch (error) {
            assert.match((error as Error).message, /^config\.pbtxt line \d+: /, text);
          }
        }
      }
    }
  });
});

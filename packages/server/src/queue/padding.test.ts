import assert from "node:assert/strict";
import { test } from "node:test";
import type { Datatype } from "../base/tensor.ts";
import { encodeElement } from "./padding.ts";

// IEEE 754 bit patterns, little-endian; the half-precision ones as Python's struct.pack("<e", v) gives them.
const cases: readonly [Datatype, number, string][] = [
  ["BOOL", 2, "01"],
  ["INT8", -1, "ff"],
  ["UINT16", 65535, "ffff"],
  ["INT32", -2, "feffffff"],
  ["INT64", -100, "9cffffffffffffff"],
  ["FP32", 1.5, "0000c03f"],
  ["FP64", -0.1, "9a9999999999b9bf"],
  ["FP16", 1, "003c"],
  ["FP16", -0.1, "66ae"],
  ["FP16", 65504, "ff7b"],
  ["FP16", 65520, "007c"],
  ["FP16", Number.NEGATIVE_INFINITY, "00fc"],
  ["FP16", 6e-8, "0100"],
  ["FP16", 1 + 2 ** -11, "003c"],
  ["FP16", 2047.9999, "0068"],
  ["BF16", 1, "803f"],
  ["BF16", 3.14, "4940"],
  ["BF16", Number.NaN, "c07f"],
];

for (const [datatype, value, hex] of cases) {
  test(`${value} as ${datatype} is ${hex}`, () => {
    assert.equal(Buffer.from(encodeElement(datatype, value)).toString("hex"), hex);
  });
}

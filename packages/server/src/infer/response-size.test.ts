import assert from "node:assert/strict";
import { test } from "node:test";
import type { VariableDim } from "../base/signature.ts";
import { compileResponseSize } from "./response-size.ts";

const ROWS: VariableDim = { symbol: "n", min: 0, max: undefined };
const LENGTH: VariableDim = { symbol: "length", min: 1, max: undefined };
/** The model finds it out. */
const FOUND: VariableDim = { symbol: "found", min: 2, max: undefined };

const size = compileResponseSize({
  inputs: [
    { name: "ids", datatype: "INT64", dims: [ROWS, LENGTH] },
    { name: "mask", datatype: "BOOL", dims: [ROWS, LENGTH] },
  ],
  outputs: [
    { name: "logits", datatype: "FP32", dims: [ROWS, LENGTH, 50_000] },
    { name: "words", datatype: "BYTES", dims: [ROWS] },
    { name: "places", datatype: "FP16", dims: [ROWS, FOUND] },
  ],
  batching: { kind: "off", reason: "" },
});

function given(rows: number, length: number) {
  const shape = [rows, length];
  const bytes = new Uint8Array(0);
  return [
    { name: "ids", datatype: "INT64" as const, shape, bytes },
    { name: "mask", datatype: "BOOL" as const, shape, bytes },
  ];
}

test("what the signature says of the size of a response is known before the model runs", () => {
  assert.equal(size(given(3, 10), ["logits"]), 3 * 10 * 50_000 * 4);
  assert.equal(size(given(3, 10), ["words"]), 12, "a length for each text");
  assert.equal(size(given(3, 10), ["places"]), 3 * 2 * 2, "the least that it can be");
  assert.equal(size(given(3, 10), undefined), 6_000_000 + 12 + 12);
  assert.equal(size(given(0, 10), undefined), 0);
});

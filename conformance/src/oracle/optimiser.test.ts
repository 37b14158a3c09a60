// Tests that the oracle sees what ONNX Runtime's optimiser breaks; op-db.test.ts asks whether it breaks anything in what programs become.
import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeModel, type OnnxModel } from "@sconce/torch";
import { Tensor as OrtTensor } from "onnxruntime-node";
import type { FixtureTensor } from "./fixture-pack.ts";
import { optimiserDifference } from "./optimiser.ts";

const ints = (name: string, values: readonly bigint[]) => ({
  name,
  dtype: "int64" as const,
  dims: [values.length],
  data: new Uint8Array(BigInt64Array.from(values).buffer),
});

/** y is x with a column before and two behind; only one axis is named. */
const PAD_WITH_AXES: OnnxModel = {
  opsets: new Map([["", 23]]),
  graph: {
    name: "main",
    inputs: [{ name: "x", dtype: "float32", dims: [2, 3, 4] }],
    outputs: [{ name: "y", dtype: "float32", dims: [2, 3, 7] }],
    initializers: [ints("pads", [1n, 2n]), ints("axes", [2n])],
    nodes: [{ type: "Pad", domain: "", inputs: ["x", "pads", "", "axes"], outputs: ["y"], attributes: {} }],
  },
};

test("a Pad that names its axes is seen to come out wrong between transpositions", async () => {
  const output: FixtureTensor = {
    dtype: "float32",
    shape: [2, 3, 7],
    bytes: new Uint8Array(4 * 42),
    unspecified: false,
  };
  const found = await optimiserDifference({
    model: encodeModel(PAD_WITH_AXES),
    program: new Uint8Array(0),
    feeds: (shape) => [
      new OrtTensor(
        "float32",
        Float32Array.from({ length: 24 }, (_, i) => i),
        [...shape([2, 3, 4])],
      ),
    ],
    outputs: [output],
  });
  assert.match(found ?? "", /^between transpositions, the optimised graph (fails|answers otherwise)/);
});

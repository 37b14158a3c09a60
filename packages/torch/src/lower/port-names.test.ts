import assert from "node:assert/strict";
import { test } from "node:test";
import type { DType } from "../dtype.ts";
import type { Program, ValueType } from "../graph/ir.ts";
import { add, type Dim, mul, symbol } from "../graph/sym.ts";
import { PortNames } from "./port-names.ts";

const [s0, s1, s2] = [symbol("s0"), symbol("s1"), symbol("s2")];

function names(inputs: readonly (readonly [DType, readonly Dim[]])[]): (dim: Dim) => unknown {
  const values = new Map(
    inputs.map(([dtype, dims], i): [string, ValueType] => [
      `x${i}`,
      { kind: "tensor", dtype, dims, strides: undefined },
    ]),
  );
  const program: Program = {
    detail: "",
    graph: { inputs: [...values.keys()], outputs: [], nodes: [], values },
    weights: new Map(),
    inputs: [...values.keys()].map((name) => ({ name, value: name })),
    outputs: [],
    ranges: new Map([["s0", { min: 1, max: 8 }]]),
    warnings: [],
  };
  const ports = new PortNames(program);
  return (dim) => {
    const named = ports.dim(dim);
    return typeof named === "number" ? named : named.symbol;
  };
}

test("token ids and masks have a batch and a sequence", () => {
  const name = names([
    ["int64", [s0, s1]],
    ["int64", [s0, s1]],
    ["float32", [s0, s2, 8]],
  ]);
  assert.deepEqual([s0, s1, s2, mul(2, s0), add(s1, 1)].map(name), [
    "batch",
    "sequence",
    "s2",
    "2*batch",
    "1 + sequence",
  ]);
});

test("sizes that the integer inputs do not share keep the file's names", () => {
  assert.deepEqual(
    [s1, s2].map(
      names([
        ["int64", [s0, s1]],
        ["int64", [s0, s2]],
      ]),
    ),
    ["s1", "s2"],
  );
  assert.deepEqual(
    [s1].map(
      names([
        ["int64", [s0, s1]],
        ["int64", [s0, 4]],
      ]),
    ),
    ["s1"],
  );
  assert.deepEqual([s1].map(names([["float32", [s0, s1]]])), ["s1"]);
});

test("an expression carries the bounds and the factor of its symbols", () => {
  const values = new Map<string, ValueType>([
    ["x", { kind: "tensor", dtype: "float32", dims: [mul(2, s0)], strides: undefined }],
  ]);
  const program: Program = {
    detail: "",
    graph: { inputs: ["x"], outputs: [], nodes: [], values },
    weights: new Map(),
    inputs: [{ name: "x", value: "x" }],
    outputs: [],
    ranges: new Map([["s0", { min: 2, max: 8 }]]),
    warnings: [],
  };
  const dim = new PortNames(program).dim(mul(2, s0));
  assert.deepEqual(dim, { symbol: "2*s0", min: 4, max: 16, multipleOf: 2 });
});

import assert from "node:assert/strict";
import { test } from "node:test";
import type { DType } from "../../dtype.ts";
import type { Arg, Graph, ValueType } from "../../graph/ir.ts";
import { dtypeFaults } from "./dtype-faults.ts";

type Operand = readonly [dtype: DType, dims: readonly number[]];

/** A call of an op on tensors of these types. */
function call(
  target: string,
  operands: Readonly<Record<string, Operand>>,
  others: Record<string, Arg> = {},
): Graph {
  const values = new Map<string, ValueType>();
  const args = new Map<string, Arg>(Object.entries(others));
  for (const [name, [dtype, dims]] of Object.entries(operands)) {
    values.set(name, { kind: "tensor", dtype, dims, strides: undefined });
    args.set(name, { kind: "value", name });
  }
  return { inputs: [], outputs: [], nodes: [{ target, args, outputs: ["result"] }], values };
}

const reasons = (graph: Graph): string[] => dtypeFaults(graph).map(({ reason }) => reason);

test("an index of a dtype that PyTorch refuses is named, with what it takes", () => {
  const asked = (index: Operand) =>
    reasons(call("aten.index_fill.int_Scalar", { self: ["float32", [3]], index }));
  assert.deepEqual(asked(["int32", [2]]), ["PyTorch takes int64 as its argument 'index', and it is int32"]);
  assert.deepEqual(asked(["int64", [2]]), []);
  // Of nothing PyTorch takes any dtype.
  assert.deepEqual(asked(["int32", [0]]), []);
});

test("booleans where PyTorch has no largest one, and a program in which something is converted first", () => {
  assert.deepEqual(reasons(call("aten.argmax.default", { self: ["bool", [3]] })), [
    "PyTorch takes floats, integers as its argument 'self', and it is bool",
  ]);
  const self: Operand = ["int64", [3]];
  assert.equal(reasons(call("aten.softmax.int", { self })).length, 1);
  const dtype: Arg = { kind: "dtype", value: "float32" };
  assert.deepEqual(reasons(call("aten.softmax.int", { self }, { dtype })), []);
});

test("operands of several dtypes where PyTorch wants one, and a result that does not fit into what it is written into", () => {
  const self: Operand = ["float32", [2, 2]];
  assert.match(reasons(call("aten.mm.default", { self, mat2: ["float16", [2, 2]] })).join(), /of one dtype/);
  const written = { self: ["int64", [2]], other: ["float32", [2]] } as const;
  assert.match(
    reasons(call("aten.add_.Tensor", written)).join(),
    /writes no float32 .* into a tensor of int64/,
  );
  assert.deepEqual(reasons(call("aten.add.Tensor", written)), []);
});

test("complex numbers have no rules", () => {
  assert.deepEqual(reasons(call("aten.argmax.default", { self: ["complex64", [3]] })), []);
});

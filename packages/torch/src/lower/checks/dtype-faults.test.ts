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

test("a loss whose weight has another dtype, of classes but not of their probabilities", () => {
  const self: Operand = ["float64", [2, 5]];
  const weight: Operand = ["float32", [5]];
  const reduction: Arg = { kind: "int", value: 1 };
  const asked = (target: Operand) =>
    reasons(call("aten.cross_entropy_loss.default", { self, target, weight }, { reduction }));
  assert.match(asked(["int64", [2]]).join(), /'self', 'weight' of one dtype/);
  assert.deepEqual(asked(["float64", [2, 5]]), []);
});

test("booleans that are padded with their mirror image, and such that are padded with a number", () => {
  const asked = (mode: string) =>
    reasons(call("aten.pad.default", { self: ["bool", [1, 4]] }, { mode: { kind: "string", value: mode } }));
  assert.equal(asked("reflect").length, 1);
  assert.deepEqual(asked("constant"), []);
});

test("a transposed convolution of bytes, which PyTorch only has the other way round", () => {
  const operands: Record<string, Operand> = { input: ["int8", [1, 2, 4]], weight: ["int8", [2, 3, 2]] };
  const asked = (value: boolean) =>
    reasons(call("aten.convolution.default", operands, { transposed: { kind: "bool", value } }));
  assert.equal(asked(true).length, 1);
  assert.deepEqual(asked(false), []);
});

test("operands that only are refused together", () => {
  const operands: Record<string, Operand> = { self: ["bool", [2]], min: ["bool", [2]], max: ["bool", [2]] };
  assert.equal(reasons(call("aten.clamp.Tensor", operands)).length, 1);
  const { max: _, ...others } = operands;
  assert.deepEqual(reasons(call("aten.clamp.Tensor", others)), []);
  assert.match(
    reasons(call("aten.ldexp.Tensor", { self: ["float32", [2]], other: ["bool", [2]] })).join(),
    /takes no 'other' of bool with 'self' of float32/,
  );
});

test("a fraction that is added in place to whole numbers, and a norm in a narrower dtype", () => {
  const self: Operand = ["int64", [2]];
  const min: Arg = { kind: "float", value: 0.5 };
  assert.match(reasons(call("aten.clamp_.default", { self }, { min })).join(), /writes no float .*'min'/);
  assert.deepEqual(reasons(call("aten.clamp.default", { self }, { min })), []);
  const dtype: Arg = { kind: "dtype", value: "float32" };
  const norm = (of: Operand) => reasons(call("aten.linalg_vector_norm.default", { self: of }, { dtype }));
  assert.equal(norm(["float64", [2]]).length, 1);
  assert.deepEqual(norm(["float32", [2]]), []);
});

test("an image of bytes that is filled: the dtype takes the numbers that fit", () => {
  const self: Operand = ["uint8", [2]];
  assert.deepEqual(
    reasons(call("aten.full_like.default", { self }, { fill_value: { kind: "int", value: 7 } })),
    [],
  );
  assert.deepEqual(reasons(call("aten.index_fill.int_Scalar", { self, index: ["int64", [1]] })), []);
});

import type { DType } from "../dtype.ts";
import type { Emitter } from "./emitter.ts";
import type { Lowering, LoweringTable } from "./lowering.ts";
import { promote } from "./promote.ts";
import { isTensor, type Operand, type Val } from "./tensor.ts";

/** Ops of one operand that ONNX has under another name, calculated in the result's type. */
function unary(type: string): Lowering {
  return (node, g) => g.op(type, [g.cast(node.tensor("self"), node.out().dtype)]);
}

/** Ops of two operands, calculated in the result's type. */
function binary(type: string): Lowering {
  return (node, g) => {
    const { dtype } = node.out();
    return g.op(type, [g.as(node.operand("self"), dtype), g.as(node.operand("other"), dtype)]);
  };
}

/** Comparisons: calculated in the type that the operands promote to. */
function comparison(type: string): Lowering {
  return (node, g) => {
    const [self, other] = promoted(g, [node.operand("self"), node.operand("other")]);
    return g.op(type, [self!, other!]);
  };
}

/** Operands cast to their common type. */
export function promoted(g: Emitter, operands: readonly Operand[]): Val[] {
  const dtype = promote(operands);
  return operands.map((operand) => g.as(operand, dtype));
}

/** `other * alpha`; nothing is emitted for alpha = 1. */
function scaled(g: Emitter, other: Val, alpha: Operand): Val {
  if (!isTensor(alpha) && alpha.value === 1) return other;
  return g.op("Mul", [other, g.as(alpha, other.dtype)]);
}

/** aten::add.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor */
export const add: Lowering = (node, g) => {
  const { dtype } = node.out();
  const other = g.as(node.operand("other"), dtype);
  if (dtype === "bool") return g.op("Or", [g.as(node.operand("self"), dtype), other]);
  return g.op("Add", [g.as(node.operand("self"), dtype), scaled(g, other, node.scalar("alpha"))]);
};

/** aten::sub.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor */
export const sub: Lowering = (node, g) => {
  const { dtype } = node.out();
  const other = g.as(node.operand("other"), dtype);
  return g.op("Sub", [g.as(node.operand("self"), dtype), scaled(g, other, node.scalar("alpha"))]);
};

/** aten::mul.Tensor(Tensor self, Tensor other) -> Tensor */
export const mul: Lowering = (node, g) => {
  const { dtype } = node.out();
  return g.op(dtype === "bool" ? "And" : "Mul", [
    g.as(node.operand("self"), dtype),
    g.as(node.operand("other"), dtype),
  ]);
};

/** aten::div.Tensor(Tensor self, Tensor other) -> Tensor. Integers divide as floats: the result's type says which. */
export const div: Lowering = binary("Div");

/** aten::relu(Tensor self) -> Tensor */
export const relu: Lowering = (node, g) => {
  const self = node.tensor("self");
  return RELU_TYPES.includes(self.dtype)
    ? g.op("Relu", [self])
    : g.op("Max", [self, g.scalar(self.dtype, 0)]);
};

const RELU_TYPES: readonly DType[] = ["float32", "float64"];

/** aten::sigmoid(Tensor self) -> Tensor */
export const sigmoid: Lowering = unary("Sigmoid");

/** aten::tanh(Tensor self) -> Tensor */
export const tanh: Lowering = unary("Tanh");

/** aten::eq.Tensor(Tensor self, Tensor other) -> Tensor */
export const eq: Lowering = comparison("Equal");

/** aten::clone(Tensor self, *, MemoryFormat? memory_format=None) -> Tensor. ONNX values are dense and immutable. */
export const identity: Lowering = (node) => node.tensor("self");

export const ELEMENTWISE: LoweringTable = {
  "aten.add.Tensor": add,
  "aten.add.Scalar": add,
  "aten.sub.Tensor": sub,
  "aten.sub.Scalar": sub,
  "aten.mul.Tensor": mul,
  "aten.mul.Scalar": mul,
  "aten.div.Tensor": div,
  "aten.div.Scalar": div,
  "aten.relu.default": relu,
  "aten.sigmoid.default": sigmoid,
  "aten.tanh.default": tanh,
  "aten.eq.Tensor": eq,
  "aten.eq.Scalar": eq,
  "aten.clone.default": identity,
};

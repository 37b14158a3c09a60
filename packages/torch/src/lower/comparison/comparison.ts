import type { Emitter } from "../core/emitter.ts";
import { all, type Lowering, type LoweringTable } from "../core/lowering.ts";
import { promote } from "../core/promote.ts";
import type { Operand, Val } from "../core/tensor.ts";

/** Operands cast to the type that they promote to. */
export function promoted(g: Emitter, operands: readonly Operand[]): Val[] {
  const dtype = promote(operands);
  return operands.map((operand) => g.as(operand, dtype));
}

/** Comparisons, calculated in the type that the operands promote to. */
function comparison(type: string, isNegated = false): Lowering {
  return (node, g) => {
    const [self, other] = promoted(g, [node.operand("self"), node.operand("other")]);
    const result = compare(g, type, [self!, other!]);
    return isNegated ? g.op("Not", [result]) : result;
  };
}

/** Order is not defined on booleans in ONNX. */
function compare(g: Emitter, type: string, operands: readonly Val[]): Val {
  const ordered =
    type === "Equal" ? operands : operands.map((x) => (x.dtype === "bool" ? g.cast(x, "int32") : x));
  return g.op(type, ordered);
}

/** aten::logical_and(Tensor self, Tensor other) -> Tensor */
function logical(type: string): Lowering {
  return (node, g) => g.op(type, [g.as(node.operand("self"), "bool"), g.as(node.operand("other"), "bool")]);
}

/** aten::logical_not(Tensor self) -> Tensor */
export const logicalNot: Lowering = (node, g) => g.op("Not", [g.cast(node.tensor("self"), "bool")]);

/** aten::bitwise_and.Tensor(Tensor self, Tensor other) -> Tensor: logical on booleans */
function bitwise(type: "And" | "Or" | "Xor"): Lowering {
  return (node, g) => {
    const { dtype } = node.out();
    const operands = [g.as(node.operand("self"), dtype), g.as(node.operand("other"), dtype)];
    return g.op(dtype === "bool" ? type : `Bitwise${type}`, operands);
  };
}

/** aten::bitwise_not(Tensor self) -> Tensor */
export const bitwiseNot: Lowering = (node, g) => {
  const self = node.tensor("self");
  return g.op(self.dtype === "bool" ? "Not" : "BitwiseNot", [self]);
};

/** aten::where.self(Tensor condition, Tensor self, Tensor other) -> Tensor */
export const where: Lowering = (node, g) => {
  const { dtype } = node.out();
  return g.where(
    node.tensor("condition"),
    g.as(node.operand("self"), dtype),
    g.as(node.operand("other"), dtype),
  );
};

/** aten::masked_fill.Scalar(Tensor self, Tensor mask, Scalar value) -> Tensor */
export const maskedFill: Lowering = (node, g) => {
  const { dtype } = node.out();
  return g.where(node.tensor("mask"), g.as(node.operand("value"), dtype), g.as(node.operand("self"), dtype));
};

const BOTH = ["Tensor", "Scalar"];

export const COMPARISON: LoweringTable = {
  ...all("eq", comparison("Equal"), BOTH),
  ...all("ne", comparison("Equal", true), BOTH),
  ...all("lt", comparison("Less"), BOTH),
  ...all("le", comparison("LessOrEqual"), BOTH),
  ...all("gt", comparison("Greater"), BOTH),
  ...all("ge", comparison("GreaterOrEqual"), BOTH),
  ...all("bitwise_and", bitwise("And"), BOTH),
  ...all("bitwise_or", bitwise("Or"), BOTH),
  ...all("bitwise_xor", bitwise("Xor"), BOTH),
  ...all("__and__", bitwise("And"), BOTH),
  ...all("__or__", bitwise("Or"), BOTH),
  ...all("__xor__", bitwise("Xor"), BOTH),
  ...all("where", where, ["self", "ScalarSelf", "ScalarOther", "Scalar"]),
  ...all("masked_fill", maskedFill, BOTH),
  "aten.logical_and.default": logical("And"),
  "aten.logical_or.default": logical("Or"),
  "aten.logical_xor.default": logical("Xor"),
  "aten.logical_not.default": logicalNot,
  "aten.bitwise_not.default": bitwiseNot,
};

import type { DType } from "../../dtype.ts";
import type { Emitter } from "../core/emitter.ts";
import { all, type Lowering, type LoweringTable } from "../core/lowering.ts";
import { promoted } from "../core/promote.ts";
import { isFloat, type Val } from "../core/tensor.ts";

/**
 * aten::ge.Scalar(Tensor self, Scalar other) -> Tensor
 * aten::ge.Tensor(Tensor self, Tensor other) -> Tensor
 * aten::gt.Scalar(Tensor self, Scalar other) -> Tensor
 * aten::gt.Tensor(Tensor self, Tensor other) -> Tensor
 * aten::le.Scalar(Tensor self, Scalar other) -> Tensor
 * aten::le.Tensor(Tensor self, Tensor other) -> Tensor
 * aten::lt.Scalar(Tensor self, Scalar other) -> Tensor
 * aten::lt.Tensor(Tensor self, Tensor other) -> Tensor
 *
 * Comparisons, calculated in the type that the operands promote to.
 */
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

const BOTH = ["Tensor", "Scalar"];

/** aten::isclose(Tensor self, Tensor other, float rtol=1e-05, float atol=1e-08, bool equal_nan=False) -> Tensor */
export const isClose: Lowering = (node, g) => {
  const [a, b] = promoted(g, [node.operand("self"), node.operand("other")]) as [Val, Val];
  const same = g.op("Equal", [a, b]);
  const [rtol, atol] = [node.float("rtol"), node.float("atol")];
  const dtype: DType = isFloat(a.dtype) ? a.dtype : "float32";
  const [x, y] = [g.cast(a, dtype), g.cast(b, dtype)];
  const bothNan = g.op("And", [g.op("IsNaN", [x]), g.op("IsNaN", [y])]);
  const equal = node.bool("equal_nan") ? g.op("Or", [same, bothNan]) : same;
  if (rtol === 0 && atol === 0) return equal;
  const allowed = g.op("Add", [
    g.op("Abs", [g.op("Mul", [y, g.scalar(dtype, rtol)])]),
    g.scalar(dtype, atol),
  ]);
  const error = g.op("Abs", [g.op("Sub", [x, y])]);
  const near = g.op("And", [g.op("LessOrEqual", [error, allowed]), g.op("Not", [g.op("IsInf", [error])])]);
  return g.op("Or", [equal, near]);
};

export const COMPARISONS: LoweringTable = {
  ...all("eq", comparison("Equal"), BOTH),
  ...all("ne", comparison("Equal", true), BOTH),
  ...all("lt", comparison("Less"), BOTH),
  ...all("le", comparison("LessOrEqual"), BOTH),
  ...all("gt", comparison("Greater"), BOTH),
  ...all("ge", comparison("GreaterOrEqual"), BOTH),
  "aten.isclose.default": isClose,
};

import { extremeOf } from "../core/exact-integers.ts";
import type { Lowering, LoweringTable } from "../core/lowering.ts";
import { isFloat } from "../core/tensor.ts";

/**
 * aten::maximum(Tensor self, Tensor other) -> Tensor
 * aten::max.other(Tensor self, Tensor other) -> Tensor
 * aten::min.other(Tensor self, Tensor other) -> Tensor
 * aten::minimum(Tensor self, Tensor other) -> Tensor
 *
 * NaN wins, as in PyTorch.
 */
function extreme(type: "Max" | "Min"): Lowering {
  return (node, g) => {
    const { dtype } = node.out();
    return extremeOf(g, type, [g.as(node.operand("self"), dtype), g.as(node.operand("other"), dtype)]);
  };
}

/**
 * aten::fmax(Tensor self, Tensor other) -> Tensor
 * aten::fmin(Tensor self, Tensor other) -> Tensor
 *
 * A number wins over NaN.
 */
function numberWins(type: "Max" | "Min"): Lowering {
  return (node, g) => {
    const { dtype } = node.out();
    const [a, b] = [g.as(node.operand("self"), dtype), g.as(node.operand("other"), dtype)];
    const extreme = extremeOf(g, type, [a, b]);
    if (!isFloat(dtype)) return extreme;
    return g.where(g.op("IsNaN", [a]), b, g.where(g.op("IsNaN", [b]), a, extreme));
  };
}

export const EXTREMES: LoweringTable = {
  "aten.maximum.default": extreme("Max"),
  "aten.minimum.default": extreme("Min"),
  "aten.max.other": extreme("Max"),
  "aten.min.other": extreme("Min"),
  "aten.fmax.default": numberWins("Max"),
  "aten.fmin.default": numberWins("Min"),
};

import type { Lowering, LoweringTable } from "../core/lowering.ts";
import { isFloat } from "../core/tensor.ts";

/** aten::isreal(Tensor self) -> Tensor, for tensors that are not complex ones */
export const isReal: Lowering = (node, g) => g.expand(g.scalar("bool", 1), node.out().dims);

/** aten::isfinite(Tensor self) -> Tensor */
export const finite: Lowering = (node, g) => {
  const self = node.tensor("self");
  if (!isFloat(self.dtype)) return g.expand(g.scalar("bool", 1), self.dims);
  return g.op("Not", [g.op("Or", [g.op("IsNaN", [self]), g.op("IsInf", [self])])]);
};

/**
 * aten::isnan(Tensor self) -> Tensor
 * aten::isinf(Tensor self) -> Tensor
 */
function floatTest(type: "IsNaN" | "IsInf"): Lowering {
  return (node, g) => {
    const self = node.tensor("self");
    return isFloat(self.dtype) ? g.op(type, [self]) : g.expand(g.scalar("bool", 0), self.dims);
  };
}

/** aten::isposinf(Tensor self) -> Tensor, aten::isneginf(Tensor self) -> Tensor */
function infinite(sign: "positive" | "negative"): Lowering {
  return (node, g) => {
    const self = node.tensor("self");
    if (!isFloat(self.dtype)) return g.expand(g.scalar("bool", 0), self.dims);
    const other = sign === "positive" ? "detect_negative" : "detect_positive";
    return g.op("IsInf", [self], { [other]: 0 });
  };
}

export const FLOAT_TESTS: LoweringTable = {
  "aten.isreal.default": isReal,
  "aten.isfinite.default": finite,
  "aten.isnan.default": floatTest("IsNaN"),
  "aten.isinf.default": floatTest("IsInf"),
  "aten.isposinf.default": infinite("positive"),
  "aten.isneginf.default": infinite("negative"),
};

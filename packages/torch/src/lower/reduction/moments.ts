import type { Emitter } from "../core/emitter.ts";
import { all, type Lowering, type LoweringTable } from "../core/lowering.ts";
import type { OpNode } from "../core/op-node.ts";
import { isFloat, normalizeAxis, type Val } from "../core/tensor.ts";
import { axesOf, keepsDims, reduce, reduceExtreme, reduceMean, variance } from "./reduction.ts";

function howOf(node: OpNode): { axes: readonly number[]; keepdims: number } {
  return { axes: axesOf(node, node.tensor("self")), keepdims: keepsDims(node) };
}

/** aten::var_mean.correction(Tensor self, int[1]? dim=None, *, Scalar? correction=None, bool keepdim=False) -> (Tensor, Tensor) */
function withMean(finish: "var" | "std"): Lowering {
  return (node, g) => [
    node.isUsed(0) ? (variance(finish)(node, g) as Val) : undefined,
    node.isUsed(1) ? reduceMean(g, node.tensor("self"), howOf(node)) : undefined,
  ];
}

/** The operand in the result's dtype, with 0 for NaN. */
function withoutNan(node: OpNode, g: Emitter): Val {
  const { dtype } = node.out();
  const x = g.cast(node.tensor("self"), dtype);
  return isFloat(dtype) ? g.where(g.op("IsNaN", [x]), g.scalar(dtype, 0), x) : x;
}

/** aten::nansum(Tensor self, int[1]? dim=None, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor */
export const nansum: Lowering = (node, g) => reduce(g, "ReduceSum", withoutNan(node, g), howOf(node));

/** aten::nanmean(Tensor self, int[1]? dim=None, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor */
export const nanmean: Lowering = (node, g) => {
  const { dtype } = node.out();
  const isNumber = g.op("Not", [g.op("IsNaN", [g.cast(node.tensor("self"), dtype)])]);
  const count = reduce(g, "ReduceSum", g.cast(isNumber, dtype), howOf(node));
  return g.op("Div", [reduce(g, "ReduceSum", withoutNan(node, g), howOf(node)), count]);
};

/** aten::count_nonzero.dim_IntList(Tensor self, int[] dim) -> Tensor */
export const countNonzero: Lowering = (node, g) => {
  const bits = g.cast(g.cast(node.tensor("self"), "bool"), "int64");
  return reduce(g, "ReduceSum", bits, { ...howOf(node), keepdims: 0 });
};

/** aten::aminmax(Tensor self, *, int? dim=None, bool keepdim=False) -> (Tensor min, Tensor max) */
export const aminmax: Lowering = (node, g) => {
  const self = node.tensor("self");
  const axes = node.has("dim")
    ? self.dims.length === 0
      ? []
      : [normalizeAxis(node.int("dim"), self.dims.length)]
    : self.dims.map((_, axis) => axis);
  const how = { axes, keepdims: keepsDims(node) };
  return (["ReduceMin", "ReduceMax"] as const).map((type, i) => {
    if (!node.isUsed(i)) return undefined;
    const found = reduceExtreme(g, type, self, how);
    return node.has("dim") ? found : g.reshape(found, node.out(i).dims);
  });
};

const FORMS = ["default", "dim", "correction"];

export const MOMENTS: LoweringTable = {
  ...all("var_mean", withMean("var"), FORMS),
  ...all("std_mean", withMean("std"), FORMS),
  "aten.nansum.default": nansum,
  "aten.nanmean.default": nanmean,
  ...all("count_nonzero", countNonzero, ["default", "dim_IntList"]),
  "aten.aminmax.default": aminmax,
};

import type { Emitter } from "../core/emitter.ts";
import { int64Product, int64Sum } from "../core/exact-integers.ts";
import { all, type Lowering, type LoweringTable } from "../core/lowering.ts";
import type { OpNode } from "../core/op-node.ts";
import { isFloat, type Val } from "../core/tensor.ts";
import { axesOf, howOf, keepsDims, reduce, reduceMean } from "./reduce.ts";

const FULL_AND_DIM = ["default", "dim_IntList"] as const;

/** aten::sum_to_size(Tensor self, SymInt[] size) -> Tensor: undoes a broadcast */
export const sumToSize: Lowering = (node, g) => {
  const self = node.tensor("self");
  const { dims, dtype } = node.out();
  const lead = self.dims.length - dims.length;
  const axes = self.dims.flatMap((dim, axis) =>
    axis < lead || (dims[axis - lead] === 1 && dim !== 1) ? [axis] : [],
  );
  if (axes.length === 0) return self;
  return g.reshape(g.op("ReduceSum", [g.cast(self, dtype), g.ints(axes)], { keepdims: 1 }), dims);
};

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

/**
 * aten::count_nonzero.dim_IntList(Tensor self, int[] dim) -> Tensor
 * aten::count_nonzero(Tensor self, int? dim=None) -> Tensor
 */
export const countNonzero: Lowering = (node, g) => {
  const bits = g.cast(g.cast(node.tensor("self"), "bool"), "int64");
  return reduce(g, "ReduceSum", bits, { ...howOf(node), keepdims: 0 });
};

/**
 * aten::sum.dim_IntList(Tensor self, int[1]? dim, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor
 * aten::mean(Tensor self, *, ScalarType? dtype=None) -> Tensor
 * aten::mean.dim(Tensor self, int[1]? dim, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor
 * aten::prod(Tensor self, *, ScalarType? dtype=None) -> Tensor
 * aten::prod.dim_int(Tensor self, int dim, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor
 * aten::sum(Tensor self, *, ScalarType? dtype=None) -> Tensor
 */
function arithmetic(type: string): Lowering {
  return (node, g) => {
    const self = node.tensor("self");
    const x = { ...self, ...g.cast(self, node.out().dtype) };
    const how = { axes: axesOf(node, self), keepdims: keepsDims(node) };
    if (type === "ReduceMean") return reduceMean(g, x, how);
    // Narrower integers cannot leave what doubles hold.
    if (x.dtype === "int32" && how.axes.length > 0) {
      const wide = { ...x, ...g.cast(x, "int64") };
      const whole = type === "ReduceProd" ? int64Product(g, wide, how) : reduce(g, type, wide, how);
      return g.cast(whole, "int32");
    }
    const isWide = x.dtype === "int64" && how.axes.length > 0;
    if (isWide && type === "ReduceProd") return int64Product(g, x, how);
    return isWide && self.dtype === "int64" ? int64Sum(g, x, how) : reduce(g, type, x, how);
  };
}

/** aten::logsumexp(Tensor self, int[1] dim, bool keepdim=False) -> Tensor */
export const logsumexp: Lowering = (node, g) => {
  const self = g.typed(g.cast(node.tensor("self"), node.out().dtype), node.tensor("self").dims);
  const how = { axes: axesOf(node, self), keepdims: keepsDims(node) };
  const sum = reduce(g, "ReduceLogSumExp", self, how);
  // ONNX Runtime's kernel does not see NaN among infinities.
  const isNan = g.typed(g.cast(g.op("IsNaN", [self]), self.dtype), self.dims);
  const nans = reduce(g, "ReduceSum", isNan, how);
  return g.where(g.op("Greater", [nans, g.scalar(self.dtype, 0)]), g.scalar(self.dtype, Number.NaN), sum);
};

export const SUMS: LoweringTable = {
  "aten.sum_to_size.default": sumToSize,
  "aten.nansum.default": nansum,
  "aten.nanmean.default": nanmean,
  ...all("count_nonzero", countNonzero, ["default", "dim_IntList"]),
  ...all("sum", arithmetic("ReduceSum"), FULL_AND_DIM),
  ...all("mean", arithmetic("ReduceMean"), ["default", "dim"]),
  ...all("prod", arithmetic("ReduceProd"), ["default", "dim_int"]),
  "aten.logsumexp.default": logsumexp,
};

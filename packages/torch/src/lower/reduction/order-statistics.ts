import { product, sub, sym } from "../../graph/sym.ts";
import { along, ordered, pick } from "../comparison/sorting.ts";
import { lastTwo } from "../core/axes.ts";
import type { Emitter } from "../core/emitter.ts";
import { all, type Lowering, type LoweringTable } from "../core/lowering.ts";
import { mayBeZero } from "../core/nothing.ts";
import { requirement } from "../core/requirement.ts";
import { isFloat, normalizeAxis, type Tensor, type Val } from "../core/tensor.ts";
import { unsupported } from "../core/unsupported.ts";
import { between } from "../pointwise/arithmetic.ts";
import { atLeastOneDim, extremeOf } from "../shape/element-scatter.ts";

/** The lower median along one axis, which stays with size 1. `skipsNan` leaves NaN out; otherwise the first one wins. */
function medianAlong(
  g: Emitter,
  self: Tensor,
  { axis, skipsNan }: { axis: number; skipsNan: boolean },
): Val[] {
  const size = self.dims[axis]!;
  const found = ordered(g, self, { axis, isDescending: false, count: size });
  if (!isFloat(self.dtype)) return pick(g, found, { axis, at: sym("floordiv", sub(size, 1), 2) });
  const isNan = g.cast(g.op("IsNaN", [self]), "int32");
  if (!skipsNan) {
    const [values, indices] = pick(g, found, { axis, at: sym("floordiv", sub(size, 1), 2) }) as [Val, Val];
    const hasNan = g.op("ReduceMax", [isNan, g.ints([axis])], { keepdims: 1 });
    const first = g.op("ArgMax", [isNan], { axis, keepdims: 1 });
    return [g.where(hasNan, g.scalar(self.dtype, Number.NaN), values), g.where(hasNan, first, indices)];
  }
  const nans = g.cast(g.op("ReduceSum", [isNan, g.ints([axis])], { keepdims: 1 }), "int64");
  const last = g.op("Sub", [g.number(sub(size, 1), "int64"), nans]);
  const half = g.op("Div", [g.op("Max", [last, g.scalar("int64", 0)]), g.scalar("int64", 2)]);
  return [found.values, found.indices].map((val) => g.op("GatherElements", [val, half], { axis }));
}

/**
 * aten::median.dim(Tensor self, int dim, bool keepdim=False) -> (Tensor values, Tensor indices)
 * aten::median(Tensor self) -> Tensor
 * aten::nanmedian(Tensor self) -> Tensor
 * aten::nanmedian.dim(Tensor self, int dim, bool keepdim=False) -> (Tensor values, Tensor indices)
 */
function median(skipsNan: boolean): Lowering {
  return (node, g) => {
    if (!node.has("dim")) {
      const self = node.tensor("self");
      const size = product(self.dims);
      const flat = orNan(g, g.typed(g.reshape(self, [size]), [size]));
      return g.reshape(medianAlong(g, flat, { axis: 0, skipsNan })[0]!, []);
    }
    const { self, axis } = along(node, g);
    const results = medianAlong(g, self, { axis, skipsNan });
    return results.map((val, i) => (node.isUsed(i) ? g.reshape(val, node.out(i).dims) : undefined));
  };
}

/** A 1-d tensor, or one NaN where it has nothing: its median. An integer's is what PyTorch's cast of NaN gives. */
function orNan(g: Emitter, flat: Tensor): Tensor {
  const [size] = flat.dims;
  if (!mayBeZero(g, size!)) return flat;
  const isWide = flat.dtype === "int32" || flat.dtype === "int64";
  const nan = isFloat(flat.dtype) ? Number.NaN : isWide ? extremeOf(flat.dtype, true) : 0;
  const dims = [sym("max", 1, size!)];
  const more = g.op("Concat", [flat, g.constant(flat.dtype, [nan], [1])], { axis: 0 });
  return g.typed(g.op("Slice", [more, g.ints([0]), g.shape(dims), g.ints([0])]), dims);
}

/** aten::mode(Tensor self, int dim=-1, bool keepdim=False) -> (Tensor values, Tensor indices): the smallest of the most frequent */
export const mode: Lowering = (node, g) => {
  const { self, axis } = along(node, g);
  const rank = self.dims.length;
  const perm = [...lastTwo(rank, axis, -1).filter((a) => a >= 0)];
  const x = g.transpose(self, perm);
  const same = g.op("Equal", [g.unsqueeze(x, [-1]), g.unsqueeze(x, [-2])]);
  const counts = g.op("ReduceSum", [g.cast(same, "int64"), g.ints([rank])], { keepdims: 0 });
  const most = g.op("ReduceMax", [counts, g.ints([rank - 1])], { keepdims: 1 });
  const dtype = self.dtype === "bool" ? "int32" : self.dtype;
  const others = g.scalar(dtype, extremeOf(dtype, false));
  const candidates = g.where(g.op("Equal", [counts, most]), g.cast(x, dtype), others);
  const at = g.op("ArgMin", [candidates], { axis: rank - 1, keepdims: 1 });
  const values = g.op("GatherElements", [x, at], { axis: rank - 1 });
  return [values, at].map((val, i) => (node.isUsed(i) ? g.reshape(val, node.out(i).dims) : undefined));
};

/**
 * aten::quantile(Tensor self, Tensor q, int? dim=None, bool keepdim=False, *, str interpolation="linear") -> Tensor
 * aten::nanquantile(Tensor self, Tensor q, int? dim=None, bool keepdim=False, *, str interpolation="linear") -> Tensor
 * aten::nanquantile.scalar(Tensor self, float q, int? dim=None, bool keepdim=False, *, str interpolation="linear") -> Tensor
 * aten::quantile.scalar(Tensor self, float q, int? dim=None, bool keepdim=False, *, str interpolation="linear") -> Tensor
 */
function quantile(skipsNan: boolean): Lowering {
  return (node, g) => {
    const { dtype, dims } = node.out();
    const given = node.tensor("self");
    const self = node.has("dim") ? atLeastOneDim(g, given) : flattened(g, given);
    const axis = node.has("dim") ? normalizeAxis(node.int("dim"), self.dims.length) : 0;
    const others = self.dims.map((_, i) => i).filter((i) => i !== axis);
    const x = g.typed(g.transpose(self, [...others, axis]), [
      ...others.map((i) => self.dims[i]!),
      self.dims[axis]!,
    ]);
    const q = checkedQuantiles(g, g.reshape(g.as(node.operand("q"), dtype), [-1]));
    const found = quantileOfLast(g, x, { q, interpolation: node.string("interpolation"), skipsNan });
    const rank = x.dims.length;
    return g.reshape(g.transpose(found, [rank - 1, ...others.map((_, i) => i)]), dims);
  };
}

/** Quantiles, in a run that fails where one is not between 0 and 1. */
function checkedQuantiles(g: Emitter, q: Val): Val {
  const isInside = g.op("And", [
    g.op("GreaterOrEqual", [q, g.scalar(q.dtype, 0)]),
    g.op("LessOrEqual", [q, g.scalar(q.dtype, 1)]),
  ]);
  const guard = requirement(g, "quantiles from 0 to 1", g.op("Not", [isInside]));
  // A NaN that is taken for a position ends the lookup with words of its own.
  return g.where(isInside, g.op("Add", [q, g.cast(guard, q.dtype)]), g.scalar(q.dtype, 0));
}

function flattened(g: Emitter, tensor: Tensor): Tensor {
  const dims = [product(tensor.dims)];
  return g.typed(g.reshape(tensor, dims), dims);
}

interface QuantileOptions {
  /** 1-d */
  readonly q: Val;
  readonly interpolation: string;
  readonly skipsNan: boolean;
}

/** Quantiles along the last dimension, which becomes that of `q`. */
function quantileOfLast(g: Emitter, x: Tensor, { q, interpolation, skipsNan }: QuantileOptions): Val {
  const { dtype } = x;
  const axis = x.dims.length - 1;
  const size = x.dims[axis]!;
  const { values } = ordered(g, x, { axis, isDescending: false, count: size });
  const isNan = g.cast(g.op("IsNaN", [x]), "int64");
  const nans = g.op("ReduceSum", [isNan, g.ints([axis])], { keepdims: 1 });
  const kept = skipsNan
    ? g.op("Max", [g.op("Sub", [g.number(sub(size, 1), "int64"), nans]), g.scalar("int64", 0)])
    : g.op("Add", [g.op("Mul", [nans, g.scalar("int64", 0)]), g.number(sub(size, 1), "int64")]);
  const rank = g.op("Mul", [g.cast(kept, dtype), q]);
  const at = (position: Val): Val => g.op("GatherElements", [values, g.cast(position, "int64")], { axis });
  const found = interpolated(g, { rank, at, interpolation });
  return skipsNan ? found : g.where(g.cast(nans, "bool"), g.scalar(dtype, Number.NaN), found);
}

function interpolated(
  g: Emitter,
  { rank, at, interpolation }: { rank: Val; at: (position: Val) => Val; interpolation: string },
): Val {
  if (interpolation === "lower") return at(g.op("Floor", [rank]));
  if (interpolation === "higher") return at(g.op("Ceil", [rank]));
  if (interpolation === "nearest") return at(g.op("Round", [rank]));
  const [low, high] = [g.op("Floor", [rank]), g.op("Ceil", [rank])];
  const [below, above] = [at(low), at(high)];
  const isHalf = interpolation === "midpoint";
  if (!isHalf && interpolation !== "linear") return unsupported(`the interpolation ${interpolation}`);
  const weight = isHalf ? g.scalar(rank.dtype, 0.5) : g.op("Sub", [rank, low]);
  return between(g, [below, above], weight);
}

export const ORDER_STATISTICS: LoweringTable = {
  ...all("median", median(false), ["default", "dim"]),
  ...all("nanmedian", median(true), ["default", "dim"]),
  "aten.mode.default": mode,
  ...all("quantile", quantile(false), ["default", "scalar"]),
  ...all("nanquantile", quantile(true), ["default", "scalar"]),
};

import { type Dim, product, sub, sym } from "../../graph/sym.ts";
import { lastTwo } from "../core/axes.ts";
import type { Emitter } from "../core/emitter.ts";
import { all, type Lowering, type LoweringTable } from "../core/lowering.ts";
import type { OpNode } from "../core/op-node.ts";
import { isFloat, normalizeAxis, type Tensor, type Val } from "../core/tensor.ts";
import { unsupported } from "../core/unsupported.ts";
import { atLeastOneDim, extremeOf } from "../shape/element-scatter.ts";
import { promoted } from "./comparison.ts";

interface Order {
  readonly axis: number;
  readonly isDescending: boolean;
  /** How many to keep. */
  readonly count: Dim;
}

interface Ordered {
  readonly values: Val;
  /** int64 positions along the axis. */
  readonly indices: Val;
}

/**
 * The first `count` along an axis in order; equal ones keep their order. NaN counts as the largest, as in PyTorch: TopK compares, so
 * floats are ordered by a key that has NaN as infinity and infinity as the largest number.
 */
export function ordered(g: Emitter, x: Val, { axis, isDescending, count }: Order): Ordered {
  const attributes = { axis, largest: Number(isDescending), sorted: 1 };
  const top = (key: Val): Val[] => g.ops("TopK", [key, g.shape([count])], { count: 2, attributes });
  if (!isFloat(x.dtype)) {
    const [values, indices] = top(x);
    return { values: values!, indices: indices! };
  }
  const wide = g.cast(x, "float64");
  const bounded = g.op("Min", [wide, g.scalar("float64", Number.MAX_VALUE)]);
  const key = g.where(g.op("IsNaN", [wide]), g.scalar("float64", Number.POSITIVE_INFINITY), bounded);
  const indices = top(key)[1]!;
  return { values: g.op("GatherElements", [x, indices], { axis }), indices };
}

/** The operand with at least one dimension, and the axis that `dim` names. */
function along(node: OpNode, g: Emitter): { self: Tensor; axis: number } {
  const self = atLeastOneDim(g, node.tensor("self"));
  return { self, axis: normalizeAxis(node.int("dim"), self.dims.length) };
}

/** Results in their declared sizes, for 0-d operands that were calculated with one dimension. */
function shaped(node: OpNode, g: Emitter, results: readonly Val[]): (Val | undefined)[] {
  return results.map((val, i) => {
    if (!node.isUsed(i)) return undefined;
    return node.tensor("self").dims.length === 0 ? g.reshape(val, node.out(i).dims) : val;
  });
}

/** aten::topk(Tensor self, SymInt k, int dim=-1, bool largest=True, bool sorted=True) -> (Tensor values, Tensor indices) */
export const topk: Lowering = (node, g) => {
  const { self, axis } = along(node, g);
  const order = { axis, isDescending: node.bool("largest"), count: node.size("k") };
  const { values, indices } = ordered(g, self, order);
  return shaped(node, g, [values, indices]);
};

/** aten::sort.stable(Tensor self, *, bool? stable, int dim=-1, bool descending=False) -> (Tensor values, Tensor indices) */
export const sort: Lowering = (node, g) => {
  const { self, axis } = along(node, g);
  const order = { axis, isDescending: node.bool("descending"), count: self.dims[axis]! };
  const { values, indices } = ordered(g, self, order);
  return shaped(node, g, [values, indices]);
};

/** aten::argsort(Tensor self, int dim=-1, bool descending=False) -> Tensor */
export const argsort: Lowering = (node, g) => {
  const { self, axis } = along(node, g);
  const order = { axis, isDescending: node.bool("descending"), count: self.dims[axis]! };
  return shaped(node, g, [ordered(g, self, order).indices]) as Val[];
};

/** aten::msort(Tensor self) -> Tensor: sorted along the first dimension */
export const msort: Lowering = (node, g) => {
  const self = node.tensor("self");
  if (self.dims.length === 0) return self;
  return ordered(g, self, { axis: 0, isDescending: false, count: self.dims[0]! }).values;
};

/** One position along `axis`, which stays as a dimension of size 1 or goes. */
function pick(g: Emitter, { values, indices }: Ordered, { axis, at }: { axis: number; at: Dim }): Val[] {
  const position = g.shape([at]);
  return [values, indices].map((val) => g.op("Gather", [val, position], { axis }));
}

/** aten::kthvalue(Tensor self, SymInt k, int dim=-1, bool keepdim=False) -> (Tensor values, Tensor indices) */
export const kthvalue: Lowering = (node, g) => {
  const { self, axis } = along(node, g);
  const k = node.size("k");
  const found = ordered(g, self, { axis, isDescending: false, count: k });
  const picked = pick(g, found, { axis, at: sub(k, 1) });
  return picked.map((val, i) => (node.isUsed(i) ? g.reshape(val, node.out(i).dims) : undefined));
};

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

/** aten::median.dim(Tensor self, int dim, bool keepdim=False) -> (Tensor values, Tensor indices) */
function median(skipsNan: boolean): Lowering {
  return (node, g) => {
    if (!node.has("dim")) {
      const self = node.tensor("self");
      const size = product(self.dims);
      const flat = g.typed(g.reshape(self, [size]), [size]);
      return g.reshape(medianAlong(g, flat, { axis: 0, skipsNan })[0]!, []);
    }
    const { self, axis } = along(node, g);
    const results = medianAlong(g, self, { axis, skipsNan });
    return results.map((val, i) => (node.isUsed(i) ? g.reshape(val, node.out(i).dims) : undefined));
  };
}

/** aten::mode(Tensor self, int dim=-1, bool keepdim=False) -> (Tensor values, Tensor indices): the smallest of the most frequent */
export const mode: Lowering = (node, g) => {
  const { self, axis } = along(node, g);
  const rank = self.dims.length;
  const perm = [...lastTwo(rank, axis, -1).filter((a) => a >= 0)];
  const x = g.transpose(self, perm);
  const same = g.op("Equal", [g.unsqueeze(x, [-1]), g.unsqueeze(x, [-2])]);
  const counts = g.op("ReduceSum", [g.cast(same, "int64"), g.ints([-1])], { keepdims: 0 });
  const most = g.op("ReduceMax", [counts, g.ints([-1])], { keepdims: 1 });
  const dtype = self.dtype === "bool" ? "int32" : self.dtype;
  const others = g.scalar(dtype, extremeOf(dtype, false));
  const candidates = g.where(g.op("Equal", [counts, most]), g.cast(x, dtype), others);
  const at = g.op("ArgMin", [candidates], { axis: rank - 1, keepdims: 1 });
  const values = g.op("GatherElements", [x, at], { axis: rank - 1 });
  return [values, at].map((val, i) => (node.isUsed(i) ? g.reshape(val, node.out(i).dims) : undefined));
};

/** aten::quantile(Tensor self, Tensor q, int? dim=None, bool keepdim=False, *, str interpolation="linear") -> Tensor */
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
    const q = g.reshape(g.as(node.operand("q"), dtype), [-1]);
    const found = quantileOfLast(g, x, { q, interpolation: node.string("interpolation"), skipsNan });
    const rank = x.dims.length;
    return g.reshape(g.transpose(found, [rank - 1, ...others.map((_, i) => i)]), dims);
  };
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
  const nans = g.op("ReduceSum", [isNan, g.ints([-1])], { keepdims: 1 });
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
  const between = g.op("Add", [below, g.op("Mul", [g.op("Sub", [above, below]), weight])]);
  // Infinities have no way between them.
  return g.where(g.op("Equal", [below, above]), below, between);
}

/** aten::searchsorted.Tensor(Tensor sorted_sequence, Tensor self, *, ..., bool right=False, str? side=None, Tensor? sorter=None) -> Tensor */
export const searchsorted: Lowering = (node, g) => {
  const isRight = node.has("side") ? node.string("side") === "right" : node.bool("right");
  const given = node.tensor("sorted_sequence");
  const sorter = node.optionalTensor("sorter");
  const axis = given.dims.length - 1;
  const sequence =
    sorter === undefined ? given : { ...given, ...g.op("GatherElements", [given, sorter], { axis }) };
  const values = node.operand("self");
  const isShared = sequence.dims.length === 1;
  const [row, value] = promoted(g, [sequence, values]) as [Val, Val];
  return countBefore(g, { row: isShared ? row : g.unsqueeze(row, [-2]), value, isRight });
};

/** aten::bucketize.Tensor(Tensor self, Tensor boundaries, *, bool out_int32=False, bool right=False) -> Tensor */
export const bucketize: Lowering = (node, g) => {
  const [value, row] = promoted(g, [node.operand("self"), node.tensor("boundaries")]) as [Val, Val];
  return countBefore(g, { row, value, isRight: node.bool("right") });
};

/** How many of a sorted row come before each value. NaN comes last. */
function countBefore(g: Emitter, { row, value, isRight }: { row: Val; value: Val; isRight: boolean }): Val {
  const [x, y] = row.dtype === "bool" ? [g.cast(row, "int32"), g.cast(value, "int32")] : [row, value];
  const isPast = g.op(isRight ? "Greater" : "GreaterOrEqual", [x, g.unsqueeze(y, [-1])]);
  const isBefore = g.cast(g.op("Not", [isPast]), "int64");
  return g.op("ReduceSum", [isBefore, g.ints([-1])], { keepdims: 0 });
}

/** aten::isin.Tensor_Tensor(Tensor elements, Tensor test_elements, *, bool assume_unique=False, bool invert=False) -> Tensor */
export const isin: Lowering = (node, g) => {
  const elements = node.operand(node.has("elements") ? "elements" : "element");
  const tests = node.operand(node.has("test_elements") ? "test_elements" : "test_element");
  const [x, given] = promoted(g, [elements, tests]) as [Val, Val];
  const equal = g.op("Equal", [g.unsqueeze(x, [-1]), g.reshape(given, [-1])]);
  const hits = g.op("ReduceSum", [g.cast(equal, "int64"), g.ints([-1])], { keepdims: 0 });
  const isIn = g.cast(hits, "bool");
  return node.bool("invert") ? g.op("Not", [isIn]) : isIn;
};

export const ORDERING: LoweringTable = {
  "aten.topk.default": topk,
  ...all("sort", sort, ["default", "stable"]),
  ...all("argsort", argsort, ["default", "stable"]),
  "aten.msort.default": msort,
  "aten.kthvalue.default": kthvalue,
  ...all("median", median(false), ["default", "dim"]),
  ...all("nanmedian", median(true), ["default", "dim"]),
  "aten.mode.default": mode,
  ...all("quantile", quantile(false), ["default", "scalar"]),
  ...all("nanquantile", quantile(true), ["default", "scalar"]),
  ...all("searchsorted", searchsorted, ["Tensor", "Scalar"]),
  ...all("bucketize", bucketize, ["Tensor", "Scalar"]),
  ...all("isin", isin, ["Tensor_Tensor", "Tensor_Scalar", "Scalar_Tensor"]),
};

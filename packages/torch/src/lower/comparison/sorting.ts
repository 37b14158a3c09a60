import { type Dim, sub } from "../../graph/sym.ts";
import type { Emitter } from "../core/emitter.ts";
import { all, type Lowering, type LoweringTable } from "../core/lowering.ts";
import { unlessNothing } from "../core/nothing.ts";
import type { OpNode } from "../core/op-node.ts";
import { isFloat, normalizeAxis, type Tensor, type Val } from "../core/tensor.ts";
import { atLeastOneDim } from "../shape/element-scatter.ts";

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
export function ordered(g: Emitter, x: Tensor, { axis, isDescending, count }: Order): Ordered {
  const attributes = { axis, largest: Number(isDescending), sorted: 1 };
  const top = (key: Val): Val[] => {
    const dims = x.dims.with(axis, count);
    return unlessNothing(g, {
      sizes: x.dims.filter((_, i) => i !== axis),
      empty: [
        { dtype: key.dtype, dims },
        { dtype: "int64", dims },
      ],
      emit: (inner) => inner.ops("TopK", [key, inner.shape([count])], { count: 2, attributes }),
    });
  };
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
export function along(node: OpNode, g: Emitter): { self: Tensor; axis: number } {
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

/**
 * aten::sort.stable(Tensor self, *, bool? stable, int dim=-1, bool descending=False) -> (Tensor values, Tensor indices)
 * aten::sort(Tensor self, int dim=-1, bool descending=False) -> (Tensor values, Tensor indices)
 */
export const sort: Lowering = (node, g) => {
  const { self, axis } = along(node, g);
  const order = { axis, isDescending: node.bool("descending"), count: self.dims[axis]! };
  const { values, indices } = ordered(g, self, order);
  return shaped(node, g, [values, indices]);
};

/**
 * aten::argsort(Tensor self, int dim=-1, bool descending=False) -> Tensor
 * aten::argsort.stable(Tensor self, *, bool stable, int dim=-1, bool descending=False) -> Tensor
 */
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
export function pick(
  g: Emitter,
  { values, indices }: Ordered,
  { axis, at }: { axis: number; at: Dim },
): Val[] {
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

export const SORTING: LoweringTable = {
  "aten.topk.default": topk,
  ...all("sort", sort, ["default", "stable"]),
  ...all("argsort", argsort, ["default", "stable"]),
  "aten.msort.default": msort,
  "aten.kthvalue.default": kthvalue,
};

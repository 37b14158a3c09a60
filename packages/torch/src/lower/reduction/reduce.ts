import { product } from "../../graph/sym.ts";
import type { Emitter } from "../core/emitter.ts";
import { mayBeZero, requireSome } from "../core/nothing.ts";
import type { OpNode } from "../core/op-node.ts";
import { normalizeAxis, type Tensor, type Val } from "../core/tensor.ts";

export function howOf(node: OpNode): { axes: readonly number[]; keepdims: number } {
  return { axes: axesOf(node, node.tensor("self")), keepdims: keepsDims(node) };
}

/** The dimensions to reduce: all when `dim` is absent, None or empty. */
export function axesOf(node: OpNode, self: Tensor): number[] {
  const dims = node.has("dim") ? node.ints("dim") : [];
  if (self.dims.length === 0) return [];
  const all = self.dims.map((_, axis) => axis);
  return dims.length === 0 ? all : dims.map((dim) => normalizeAxis(dim, self.dims.length));
}

export function keepsDims(node: OpNode): number {
  return Number(node.has("keepdim") && node.bool("keepdim"));
}

/** Reduces over `axes`; a 0-d tensor has nothing to reduce. */
export function reduce(
  g: Emitter,
  type: string,
  x: Val,
  { axes, keepdims }: { axes: readonly number[]; keepdims: number },
): Val {
  return axes.length === 0 ? x : g.op(type, [x, g.ints(axes)], { keepdims });
}

/** `reduce` for a kind that PyTorch does not know of nothing: where a size that is reduced is 0, the run fails. */
export function reduceSome(
  g: Emitter,
  type: string,
  x: Tensor,
  { axes, keepdims }: { axes: readonly number[]; keepdims: number },
): Val {
  const guard = requireSome(
    g,
    axes.map((axis) => x.dims[axis]!),
  );
  if (guard === undefined) return reduce(g, type, x, { axes, keepdims });
  return g.op(type, [x, g.op("Add", [g.ints(axes), guard])], { keepdims });
}

/** The mean; NaN over nothing, which ReduceMean has as 0. */
export function reduceMean(g: Emitter, x: Tensor, how: { axes: readonly number[]; keepdims: number }): Val {
  const sizes = how.axes.map((axis) => x.dims[axis]!);
  if (!sizes.some((size) => mayBeZero(g, size))) return reduce(g, "ReduceMean", x, how);
  return g.op("Div", [reduce(g, "ReduceSum", x, how), g.number(product(sizes), x.dtype)]);
}

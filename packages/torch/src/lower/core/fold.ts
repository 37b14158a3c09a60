import { type Dim, product } from "../../graph/sym.ts";
import { countedLoop } from "./counted-loop.ts";
import type { Emitter } from "./emitter.ts";
import type { Tensor, Val } from "./tensor.ts";

/** The dimensions that a reduction takes, and whether it leaves them with size 1. */
export interface Reduced {
  readonly axes: readonly number[];
  readonly keepdims: number;
}

/** What joins two elements, in any order, and what changes nothing. */
interface Joining {
  readonly type: "Mul" | "BitwiseXor";
  readonly neutral: number;
}

/** All elements over `axes` joined by an ONNX op that has no reduction of its own. */
export function fold(g: Emitter, x: Tensor, how: Reduced, joining: Joining): Val {
  const { flat, dims } = flatten(g, x, how.axes);
  const size = dims.at(-1)!;
  const last = dims.length - 1;
  const reduced =
    typeof size === "number" && size > 0
      ? byHalves(g, flat, { axis: last, size }, joining)
      : byTurns(g, { ...flat, dims }, joining);
  return restore(g, reduced, how);
}

/** Both halves are joined until one element is left. */
function byHalves(
  g: Emitter,
  x: Val,
  { axis, size }: { axis: number; size: number },
  { type }: Joining,
): Val {
  let parts = x;
  for (let left = size; left > 1; left = Math.ceil(left / 2)) {
    const half = Math.floor(left / 2);
    const part = (start: number, end: number): Val =>
      g.op("Slice", [parts, g.ints([start]), g.ints([end]), g.ints([axis])]);
    const joined = g.op(type, [part(0, half), part(half, 2 * half)]);
    parts = left % 2 === 0 ? joined : g.op("Concat", [joined, part(2 * half, left)], { axis });
  }
  return g.squeeze(parts, [axis]);
}

/** One element after the other: their number is known only when it runs. */
function byTurns(g: Emitter, x: Val & { readonly dims: readonly Dim[] }, { type, neutral }: Joining): Val {
  const start = g.scalar(x.dtype, neutral);
  const kept = x.dims.slice(0, -1);
  const initial = kept.length === 0 ? start : g.expand(start, kept);
  const count = g.number(x.dims.at(-1)!, "int64");
  return countedLoop(g, { count, initial }, (inner, turn, soFar) =>
    inner.op(type, [soFar, inner.op("Gather", [x, turn], { axis: kept.length })]),
  );
}

/** `x` with the reduced dimensions as its last one. */
export function flatten(g: Emitter, x: Tensor, axes: readonly number[]): { flat: Val; dims: Dim[] } {
  const kept = x.dims.map((_, axis) => axis).filter((axis) => !axes.includes(axis));
  const inner = [...axes].sort((a, b) => a - b);
  const moved = g.transpose(x, [...kept, ...inner]);
  const dims = [...kept.map((axis) => x.dims[axis]!), product(inner.map((axis) => x.dims[axis]!))];
  return { flat: inner.length === 1 ? moved : g.reshape(moved, dims), dims };
}

/** A reduction of what `flatten` gave, with the dimensions that it is to have. */
export function restore(g: Emitter, reduced: Val, { axes, keepdims }: Reduced): Val {
  return keepdims === 1
    ? g.unsqueeze(
        reduced,
        [...axes].sort((a, b) => a - b),
      )
    : reduced;
}

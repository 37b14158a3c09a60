import type { DType } from "../../dtype.ts";
import { boundsOf } from "../../graph/bounds.ts";
import { type Dim, keyOf, product } from "../../graph/sym.ts";
import { needLabel } from "../../onnx/input-fault.ts";
import { either } from "./either.ts";
import type { Emitter } from "./emitter.ts";
import type { Val } from "./tensor.ts";

/** Whether a size may be 0 in a run, as far as the program says. */
export function mayBeZero(g: Emitter, dim: Dim): boolean {
  return boundsOf(dim, g.ranges).min <= 0;
}

interface Guarded {
  /** Nothing is calculated when one of these sizes is 0. */
  readonly sizes: readonly Dim[];
  /** What the results are then: zeros, as many as there are. */
  readonly empty: readonly { readonly dtype: DType; readonly dims: readonly Dim[] }[];
  emit(g: Emitter): readonly Val[];
}

/**
 * A 0-d int64 0 where there is something, in a run that fails where one of the sizes is 0: what PyTorch raises for and ONNX Runtime answers.
 * Undefined where no size can be 0. Its user has to make the result depend on it.
 */
export function requireSome(g: Emitter, sizes: readonly Dim[]): Val | undefined {
  const risky = sizes.filter((size) => mayBeZero(g, size));
  if (risky.length === 0) return undefined;
  const count = product(risky);
  const known = g.builder.isOutermost ? g.required.get(keyOf(count)) : undefined;
  if (known !== undefined) return known;
  const isNothing = g.op("LessOrEqual", [g.number(count, "int64"), g.scalar("int64", 0)]);
  // Nothing is at position 1 of a list of one.
  const guard = g.labelled(needLabel(g.target, "something"), () =>
    g.op("Gather", [g.ints([0]), g.cast(isNothing, "int64")]),
  );
  if (g.builder.isOutermost) g.required.set(keyOf(count), guard);
  return guard;
}

/** The results of `emit` for kernels that fail on tensors without elements, or worse. Where no size can be 0 it costs nothing. */
export function unlessNothing(g: Emitter, { sizes, empty, emit }: Guarded): Val[] {
  const nothing = (at: Emitter): Val[] =>
    empty.map(({ dtype, dims }) => at.expand(at.scalar(dtype, 0), dims));
  if (sizes.includes(0)) return nothing(g);
  const risky = sizes.filter((size) => mayBeZero(g, size));
  if (risky.length === 0) return [...emit(g)];
  const count = g.number(product(risky), "int64");
  const isNothing = g.op("Equal", [count, g.scalar("int64", 0)]);
  return either(g, isNothing, { dtypes: empty.map(({ dtype }) => dtype), yes: nothing, no: emit });
}

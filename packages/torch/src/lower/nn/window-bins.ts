import type { Dim } from "../../graph/sym.ts";
import { positions } from "../core/arange.ts";
import type { Emitter } from "../core/emitter.ts";
import type { Val } from "../core/tensor.ts";
import type { Bins } from "./adaptive-bins.ts";

/** How windows lie along one axis. */
export interface WindowAxis {
  readonly size: Dim;
  /** How many windows there are. */
  readonly out: Dim;
  readonly kernel: number;
  readonly stride: number;
  /** Before the first element. */
  readonly pad: number;
  readonly dilation: number;
}

/** Windows that slide: element k of window o is o · stride − pad + k · dilation. Places in the padding lie outside. */
export function slidingBins(g: Emitter, axis: WindowAxis): Bins {
  const { kernel, stride, pad, dilation, size } = axis;
  const start = affine(g, positions(g, axis.out), { scale: stride, offset: -pad });
  const reach = g.ints(Array.from({ length: kernel }, (_, k) => k * dilation));
  const place = g.op("Add", [g.unsqueeze(start, [1]), reach]);
  return binsAt(g, place, { size, kernel });
}

/**
 * What a transposed convolution sums up: element o of the result takes input (o + pad − k · dilation) / stride with element k of the
 * kernel, where that is a whole number.
 */
export function transposedBins(g: Emitter, axis: WindowAxis): Bins {
  const { kernel, stride, pad, dilation, size } = axis;
  const start = affine(g, positions(g, axis.out), { scale: 1, offset: pad });
  const back = g.ints(Array.from({ length: kernel }, (_, k) => -k * dilation));
  const scaled = g.op("Add", [g.unsqueeze(start, [1]), back]);
  const by = g.scalar("int64", stride);
  const rest = g.op("Mod", [scaled, by], { fmod: 0 });
  const bins = binsAt(g, g.op("Div", [g.op("Sub", [scaled, rest]), by]), { size, kernel });
  return { ...bins, isInside: g.op("And", [bins.isInside, g.op("Equal", [rest, g.scalar("int64", 0)])]) };
}

function affine(g: Emitter, x: Val, { scale, offset }: { scale: number; offset: number }): Val {
  return g.op("Add", [g.op("Mul", [x, g.scalar("int64", scale)]), g.scalar("int64", offset)]);
}

function binsAt(g: Emitter, place: Val, { size, kernel }: { size: Dim; kernel: number }): Bins {
  const zero = g.scalar("int64", 0);
  const end = g.number(size, "int64");
  const last = g.op("Sub", [end, g.scalar("int64", 1)]);
  const isInside = g.op("And", [g.op("GreaterOrEqual", [place, zero]), g.op("Less", [place, end])]);
  return {
    index: g.op("Max", [g.op("Min", [place, last]), zero]),
    isInside,
    count: g.op("ReduceSum", [g.cast(isInside, "int64"), g.ints([1])], { keepdims: 0 }),
    longest: kernel,
  };
}

/** Gathers bins along the axes from `first` on: [leading…, bins, elements, bins, elements, …], zero where a place lies outside. */
export function gatherBins(
  g: Emitter,
  x: Val,
  { first, axes }: { first: number; axes: readonly Bins[] },
): Val {
  const zero = g.scalar(x.dtype, 0);
  return axes.reduce<Val>((elements, { index, isInside }, i) => {
    const axis = first + 2 * i;
    const trailing = Array.from({ length: axes.length - 1 - i }, (_, at) => at + 2);
    const taken = g.op("Gather", [elements, index], { axis });
    return g.where(g.unsqueeze(isInside, trailing), taken, zero);
  }, x);
}

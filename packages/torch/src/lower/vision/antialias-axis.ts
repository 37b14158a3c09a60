import { positions } from "../core/arange.ts";
import type { Emitter } from "../core/emitter.ts";
import type { Val } from "../core/tensor.ts";
import type { AxisResize } from "./interpolate-axis.ts";

/** How one axis is resized with weights that are calculated in the graph. */
export interface Antialias {
  readonly resize: AxisResize;
  readonly kernel: "linear" | "cubic";
  readonly aligned: boolean;
}

/**
 * Resizes one of the two last axes of a 4-d tensor with a filter as wide as the reduction, as PyTorch's `_upsample_*_aa`: a matrix
 * of weights, one row per target element. ONNX Runtime's own antialiasing gives other weights.
 */
export function antialiasAxis(g: Emitter, x: Val, resizing: Antialias): Val {
  const dtype = x.dtype === "float64" ? "float64" : "float32";
  return resized(g, x, { axis: resizing.resize.axis, weights: antialiasWeights(g, resizing, dtype) });
}

/** One of the two last axes of a 4-d tensor, by a matrix of weights with a row for each target element. */
export function resized(g: Emitter, x: Val, { axis, weights }: { axis: number; weights: Val }): Val {
  return axis === 2 ? g.op("MatMul", [weights, x]) : g.op("MatMul", [x, g.transpose(weights, [1, 0])]);
}

/** The weights of source elements, [to, from]; those of a target element sum to 1. */
export function antialiasWeights(
  g: Emitter,
  { resize, kernel, aligned }: Antialias,
  dtype: "float32" | "float64",
): Val {
  const { from, to } = resize;
  const number = (value: number): Val => g.scalar(dtype, value);
  const scale = scaleOf(g, { resize, aligned, dtype });
  const widening = g.op("Max", [scale, number(1)]);
  const support = g.op("Mul", [widening, number(kernel === "linear" ? 1 : 2)]);
  const target = g.unsqueeze(g.cast(positions(g, to), dtype), [1]);
  const source = g.unsqueeze(g.cast(positions(g, from), dtype), [0]);
  const centre = g.op("Mul", [scale, g.op("Add", [target, number(0.5)])]);
  const bound = (edge: Val): Val => g.op("Floor", [g.op("Add", [edge, number(0.5)])]);
  const start = bound(g.op("Sub", [centre, support]));
  const end = bound(g.op("Add", [centre, support]));
  const isInside = g.op("And", [g.op("GreaterOrEqual", [source, start]), g.op("Less", [source, end])]);
  const distance = g.op("Abs", [
    g.op("Div", [g.op("Add", [g.op("Sub", [source, centre]), number(0.5)]), widening]),
  ]);
  const raw = g.where(isInside, kernel === "linear" ? triangle(g, distance) : cubic(g, distance), number(0));
  return g.op("Div", [raw, g.op("ReduceSum", [raw, g.ints([1])], { keepdims: 1 })]);
}

interface Scale {
  readonly resize: AxisResize;
  readonly aligned: boolean;
  readonly dtype: "float32" | "float64";
}

/** Source elements per target element. */
export function scaleOf(g: Emitter, { resize: { from, to, factor }, aligned, dtype }: Scale): Val {
  if (!aligned && factor !== undefined) return g.scalar(dtype, 1 / factor);
  const [source, target] = [g.number(from, dtype), g.number(to, dtype)];
  if (!aligned) return g.op("Div", [source, target]);
  const one = g.scalar(dtype, 1);
  const gaps = g.op("Sub", [target, one]);
  const ratio = g.op("Div", [g.op("Sub", [source, one]), g.op("Max", [gaps, one])]);
  return g.op("Mul", [ratio, g.op("Min", [gaps, one])]);
}

/** The linear filter. */
export function triangle(g: Emitter, distance: Val): Val {
  return g.op("Max", [g.op("Sub", [g.scalar(distance.dtype, 1), distance]), g.scalar(distance.dtype, 0)]);
}

/** Keys' cubic filter with a = -0.5, which PyTorch takes for antialiasing alone. */
function cubic(g: Emitter, distance: Val): Val {
  const polynomial = (coefficients: readonly number[]): Val =>
    coefficients
      .slice(1)
      .reduce(
        (sum, c) => g.op("Add", [g.op("Mul", [sum, distance]), g.scalar(distance.dtype, c)]),
        g.scalar(distance.dtype, coefficients[0]!),
      );
  const near = polynomial([1.5, -2.5, 0, 1]);
  const far = polynomial([-0.5, 2.5, -4, 2]);
  const isNear = g.op("Less", [distance, g.scalar(distance.dtype, 1)]);
  const isFar = g.op("Less", [distance, g.scalar(distance.dtype, 2)]);
  return g.where(isNear, near, g.where(isFar, far, g.scalar(distance.dtype, 0)));
}

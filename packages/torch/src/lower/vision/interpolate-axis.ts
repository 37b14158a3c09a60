import type { DType } from "../../dtype.ts";
import type { Dim } from "../../graph/sym.ts";
import { positions } from "../core/arange.ts";
import type { Emitter } from "../core/emitter.ts";
import type { Val } from "../core/tensor.ts";

/** How one axis is resampled. */
export interface AxisResize {
  readonly axis: number;
  readonly from: Dim;
  readonly to: Dim;
  /** The factor that the program gives; without one it is the ratio of the sizes. */
  readonly factor: number | undefined;
}

export type Kernel = "nearest" | "nearest-exact" | "linear" | "cubic";

/** One summand of an interpolation: elements at `index`, times `weight` (1 when undefined). */
interface Tap {
  readonly index: Val;
  readonly weight?: Val;
}

/**
 * Resamples one axis with gathered elements, at exactly the coordinates that PyTorch calculates. For what ONNX's Resize rounds
 * differently: sizes that are not multiple of the factor given, nearest neighbours, and types that it does not take.
 */
export function interpolateAxis(
  g: Emitter,
  x: Val,
  { resize, kernel, rank }: { resize: AxisResize; kernel: Kernel; rank: number },
): Val {
  const { axis } = resize;
  const trailing = Array.from({ length: rank - 1 - axis }, (_, i) => i + 1);
  const terms = taps(g, resize, { kernel, dtype: x.dtype === "float64" ? "float64" : "float32" }).map(
    ({ index, weight }) => {
      const taken = g.op("Gather", [x, index], { axis });
      return weight === undefined
        ? taken
        : g.op("Mul", [taken, g.unsqueeze(g.cast(weight, x.dtype), trailing)]);
    },
  );
  return terms.reduce((sum, term) => g.op("Add", [sum, term]));
}

function taps(g: Emitter, resize: AxisResize, { kernel, dtype }: { kernel: Kernel; dtype: DType }): Tap[] {
  const position = g.cast(positions(g, resize.to), dtype);
  const scale = scaleOf(g, resize, dtype);
  const one = g.scalar("int64", 1);
  const last = g.op("Sub", [g.number(resize.from, "int64"), one]);
  const clamped = (index: Val): Val => g.op("Min", [g.op("Max", [index, g.scalar("int64", 0)]), last]);
  const half = g.scalar(dtype, 0.5);
  const shifted = g.op("Mul", [scale, g.op("Add", [position, half])]);
  if (kernel === "nearest") return [{ index: clamped(floored(g, g.op("Mul", [position, scale])).index) }];
  if (kernel === "nearest-exact") return [{ index: clamped(floored(g, shifted).index) }];
  const source = g.op("Sub", [shifted, half]);
  if (kernel === "linear") {
    const { index, fraction } = floored(g, g.op("Max", [source, g.scalar(dtype, 0)]));
    return [
      { index: clamped(index), weight: g.op("Sub", [g.scalar(dtype, 1), fraction]) },
      { index: clamped(g.op("Add", [index, one])), weight: fraction },
    ];
  }
  const { index, fraction } = floored(g, source);
  return cubicWeights(g, fraction).map((weight, i) => ({
    index: clamped(g.op("Add", [index, g.scalar("int64", i - 1)])),
    weight,
  }));
}

/** Source elements per target element, without aligned corners. */
function scaleOf(g: Emitter, { from, to, factor }: AxisResize, dtype: DType): Val {
  if (factor !== undefined) return g.scalar(dtype, 1 / factor);
  if (typeof from === "number" && typeof to === "number" && dtype === "float32") {
    return g.scalar(dtype, Math.fround(from) / Math.fround(to));
  }
  return g.op("Div", [g.number(from, dtype), g.number(to, dtype)]);
}

function floored(g: Emitter, source: Val): { index: Val; fraction: Val } {
  const floor = g.op("Floor", [source]);
  return { index: g.cast(floor, "int64"), fraction: g.op("Sub", [source, floor]) };
}

/** Keys' cubic convolution with a = -0.75, as PyTorch's bicubic. */
export function cubicWeights(g: Emitter, t: Val): Val[] {
  const a = -0.75;
  const number = (value: number): Val => g.scalar(t.dtype, value);
  const polynomial = (x: Val, coefficients: readonly number[]): Val =>
    coefficients
      .slice(1)
      .reduce((sum, c) => g.op("Add", [g.op("Mul", [sum, x]), number(c)]), number(coefficients[0]!));
  const near = (x: Val): Val => polynomial(x, [a + 2, -(a + 3), 0, 1]);
  const far = (x: Val): Val => polynomial(x, [a, -5 * a, 8 * a, -4 * a]);
  const rest = g.op("Sub", [number(1), t]);
  return [far(g.op("Add", [t, number(1)])), near(t), near(rest), far(g.op("Add", [rest, number(1)]))];
}

/** Whether a factor gives this size exactly, so that the ratio of the sizes is the factor. */
export function isExact({ from, to, factor }: AxisResize): boolean {
  if (factor === undefined) return true;
  return typeof from === "number" && typeof to === "number" && from * factor === to;
}

/** Whether ONNX Runtime, which multiplies in float32, gets the size that PyTorch gets from a factor. */
export function isSameSize({ from, to, factor }: AxisResize): boolean {
  if (factor === undefined) return false;
  if (typeof from !== "number" || typeof to !== "number")
    return Number.isInteger(factor * 256) && factor < 256;
  return Math.floor(Math.fround(from * Math.fround(factor))) === to;
}

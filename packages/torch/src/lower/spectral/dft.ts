import { add, type Dim, sub, sym } from "../../graph/sym.ts";
import { type Components, joined, separated } from "../complex/complex-lowering.ts";
import { arange } from "../core/arange.ts";
import type { Emitter } from "../core/emitter.ts";
import { requireSome } from "../core/nothing.ts";
import { padded } from "../core/padded.ts";
import type { ComplexVal, Val } from "../core/tensor.ts";
import { slice } from "../shape/slicing.ts";

/** What a transform over n points is multiplied by: 1, 1/√n or 1/n. */
export type Scale = "none" | "root" | "length";

/** A discrete Fourier transform along one axis of a tensor of `rank` dimensions. */
export interface Transform {
  readonly axis: number;
  readonly rank: number;
  /** How many points; the operand has as many along the axis. */
  readonly length: Dim;
  /** The sign of the exponent: e^(+iθ) instead of e^(-iθ). */
  readonly isInverse: boolean;
  readonly scale: Scale;
}

/**
 * Up to so many points a transform is a product with a constant matrix. ONNX Runtime 1.30 transforms lengths that are no power of two
 * by Bluestein's algorithm; in float32 it is wrong in the third digit there (8 rows of 1000 points: error 1e-2 and 4.0 ms, against
 * 1e-5 and 2.2 ms as a matrix). In float64 it is exact enough, and what remains for longer and for unknown lengths.
 */
const MATRIX_POINTS = 1024;

/** All points of the spectrum. */
export function transform(g: Emitter, x: Components, how: Transform): ComplexVal {
  const { length } = how;
  return isShort(length) ? byMatrix(g, x, { ...how, length, points: length }) : byKernel(g, x, how);
}

/** The spectrum of a real signal up to the middle: the rest is its mirror image. */
export function halfTransform(g: Emitter, re: Val, how: Transform): ComplexVal {
  const { length } = how;
  const x = { re, im: undefined };
  return isShort(length)
    ? byMatrix(g, x, { ...how, length, points: Math.floor(length / 2) + 1 })
    : byKernel(g, x, { ...how, isHalf: true });
}

/** The real signal of `length` points whose spectrum up to the middle is given. */
export function realTransform(g: Emitter, x: Components, how: Transform): Val {
  const { length, axis } = how;
  if (isShort(length)) return realByMatrix(g, x, { ...how, length });
  const mirrored = (val: Val): Val => {
    const start = sub(length, halfOf(length));
    return g.op("Slice", [val, g.shape([start]), g.ints([0]), g.ints([axis]), g.ints([-1])]);
  };
  const whole = {
    re: g.op("Concat", [x.re, mirrored(x.re)], { axis }),
    im: x.im && g.op("Concat", [x.im, g.op("Neg", [mirrored(x.im)])], { axis }),
  };
  return byKernel(g, whole, how).re;
}

/** How many points of a spectrum of `length` points tell all of it when the signal is real. */
export function halfOf(length: Dim): Dim {
  return add(sym("floordiv", length, 2), 1);
}

interface Fit {
  readonly rank: number;
  readonly axis: number;
  readonly from: Dim;
  readonly to: Dim;
}

/** Cuts an axis off, or fills it up with zeros, from `from` to `to` points. */
export function fitted(g: Emitter, x: Val, { rank, axis, from, to }: Fit): Val {
  const missing = sym("max", sub(to, from), 0);
  const isShorter = typeof from === "number" && typeof to === "number" ? to < from : sub(to, from) !== 0;
  const cut = isShorter ? slice(g, x, { axis, start: 0, end: to }) : x;
  if (missing === 0 || sub(to, from) === 0) return cut;
  return padded(g, cut, { rank, pads: [{ axis, before: 0, after: missing }], value: g.scalar(x.dtype, 0) });
}

function isShort(length: Dim): length is number {
  return typeof length === "number" && length <= MATRIX_POINTS;
}

interface MatrixTransform extends Transform {
  readonly length: number;
  /** How many points of the spectrum to calculate. */
  readonly points: number;
}

function byMatrix(g: Emitter, { re, im }: Components, how: MatrixTransform): ComplexVal {
  const { length, points, isInverse, scale } = how;
  const factor = factorOf(scale, length);
  const sign = isInverse ? factor : -factor;
  const cos = { key: `cos ${scale}`, size: [length, points], at: cosines(length, () => factor) } as const;
  const sin = {
    key: `${Math.sign(sign)} sin ${scale}`,
    size: [length, points],
    at: sines(length, () => sign),
  } as const;
  const [a, b] = [times(g, re, how, cos), times(g, re, how, sin)];
  if (im === undefined) return { re: a, im: b };
  return {
    re: g.op("Sub", [a, times(g, im, how, sin)]),
    im: g.op("Add", [b, times(g, im, how, cos)]),
  };
}

/** Points apart from the first and the middle one stand for their mirror images too. */
function realByMatrix(g: Emitter, { re, im }: Components, how: Transform & { readonly length: number }): Val {
  const { length, isInverse, scale } = how;
  const points = Math.floor(length / 2) + 1;
  const weight = (k: number): number => factorOf(scale, length) * ((2 * k) % length === 0 ? 1 : 2);
  const sign = isInverse ? -1 : 1;
  const cos = { key: `real cos ${scale}`, size: [points, length], at: cosines(length, weight) } as const;
  const sin = {
    key: `${sign} real sin ${scale}`,
    size: [points, length],
    at: sines(length, (k) => sign * weight(k)),
  } as const;
  const even = times(g, re, how, cos);
  return im === undefined ? even : g.op("Add", [even, times(g, im, how, sin)]);
}

interface Table {
  readonly key: string;
  readonly size: readonly [rows: number, columns: number];
  at(row: number, column: number): number;
}

/** The product of x's `axis` with a matrix: from the right for the last axis, from the left for the others. */
function times(
  g: Emitter,
  x: Val,
  { axis, rank }: Transform,
  { key, size: [rows, columns], at }: Table,
): Val {
  const { dtype } = x;
  if (axis === rank - 1) return g.op("MatMul", [x, g.matrix(key, [rows, columns], { dtype, at })]);
  const matrix = g.matrix(`transposed ${key}`, [columns, rows], { dtype, at: (i, k) => at(k, i) });
  const swap = Array.from({ length: rank }, (_, i) => (i === axis ? rank - 2 : i === rank - 2 ? axis : i));
  return g.transpose(g.op("MatMul", [matrix, g.transpose(x, swap)]), swap);
}

function factorOf(scale: Scale, length: number): number {
  return scale === "none" ? 1 : scale === "root" ? 1 / Math.sqrt(length) : 1 / length;
}

/** cos(2π·jk/n) weighted by row; exact at the quarters of the circle. */
function cosines(n: number, weight: (row: number) => number): Table["at"] {
  return (j, k) => {
    const quarters = 4 * ((j * k) % n);
    const value =
      quarters % n === 0 ? [1, 0, -1, 0][quarters / n]! : Math.cos((Math.PI * quarters) / (2 * n));
    return value === 0 ? 0 : weight(j) * value;
  };
}

function sines(n: number, weight: (row: number) => number): Table["at"] {
  return (j, k) => {
    const quarters = 4 * ((j * k) % n);
    const value =
      quarters % n === 0 ? [0, 1, 0, -1][quarters / n]! : Math.sin((Math.PI * quarters) / (2 * n));
    return value === 0 ? 0 : weight(j) * value;
  };
}

/** ONNX's DFT in float64. The inverse of a complex spectrum is the transform with the parts swapped on both sides. */
function byKernel(g: Emitter, x: Components, how: Transform & { readonly isHalf?: boolean }): ComplexVal {
  const { axis, rank, isInverse, isHalf = false } = how;
  const { dtype } = x.re;
  const isSwapped = isInverse && x.im !== undefined;
  const pair = x.im === undefined ? undefined : isSwapped ? { re: x.im, im: x.re } : { re: x.re, im: x.im };
  const operand = pair === undefined ? g.unsqueeze(x.re, [rank]) : joined(g, pair, rank);
  // The kernel wants a batch.
  const batched = g.unsqueeze(g.cast(operand, "float64"), rank === 1 ? [0] : []);
  const place = g.scalar("int64", rank === 1 ? 1 : axis);
  const guard = requireSome(g, [how.length]);
  const at = guard === undefined ? place : g.op("Add", [place, guard]);
  const spectrum = g.op("DFT", [batched, undefined, at], { onesided: Number(isHalf) });
  const { re, im } = separated(g, g.squeeze(spectrum, rank === 1 ? [0] : []), rank);
  const parts =
    pair === undefined
      ? { re, im: imaginaryOfReal(g, im, how) }
      : isSwapped
        ? { re: im, im: re }
        : { re, im };
  const scaled = (val: Val): Val => g.cast(scaledBy(g, val, how), dtype);
  return { re: scaled(parts.re), im: scaled(parts.im) };
}

/** A real signal's first and middle point have no imaginary part, not even a small one: its sign would show in the angle. */
function imaginaryOfReal(g: Emitter, im: Val, how: Transform & { readonly isHalf?: boolean }): Val {
  const { axis, rank, length, isInverse, isHalf = false } = how;
  const twice = g.op("Mul", [arange(g, isHalf ? halfOf(length) : length), g.scalar("int64", 2)]);
  const isReal = g.op("Equal", [
    g.op("Mod", [twice, g.number(length, "int64")], { fmod: 0 }),
    g.scalar("int64", 0),
  ]);
  const trailing = Array.from({ length: rank - 1 - axis }, (_, i) => i + 1);
  const zero = g.scalar(im.dtype, 0);
  return g.where(g.unsqueeze(isReal, trailing), zero, isInverse ? g.op("Neg", [im]) : im);
}

function scaledBy(g: Emitter, x: Val, { scale, length }: Transform): Val {
  if (scale === "none") return x;
  const points = g.number(length, x.dtype);
  return g.op("Div", [x, scale === "root" ? g.op("Sqrt", [points]) : points]);
}

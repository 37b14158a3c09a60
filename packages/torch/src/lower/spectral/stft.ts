import { isComplex } from "../../dtype.ts";
import { add, type Dim, mul } from "../../graph/sym.ts";
import {
  type ComplexLowering,
  type ComplexTable,
  componentsOf,
  joined,
  realPart,
} from "../complex/complex-lowering.ts";
import { arange } from "../core/arange.ts";
import type { Emitter } from "../core/emitter.ts";
import type { Lowering, LoweringTable } from "../core/lowering.ts";
import type { OpNode } from "../core/op-node.ts";
import { requirement } from "../core/requirement.ts";
import type { ComplexVal, Val } from "../core/tensor.ts";
import { unsupported } from "../core/unsupported.ts";
import { slice } from "../shape/slicing.ts";
import { fitted, halfOf, halfTransform, realTransform, transform } from "./dft.ts";

/** The window in the middle of `points` places; undefined: all ones. */
function windowOf(
  node: OpNode,
  g: Emitter,
  { points, dtype }: { points: number; dtype: Val["dtype"] },
): Val | undefined {
  const width = node.optionalInt("win_length") ?? points;
  const window = node.optionalTensor("window");
  if (window === undefined && width === points) return undefined;
  const val = window === undefined ? g.expand(g.scalar(dtype, 1), [width]) : g.cast(window, dtype);
  const before = Math.floor((points - width) / 2);
  if (width === points) return val;
  return g.op("Pad", [val, g.ints([before, points - width - before]), g.scalar(dtype, 0)], {
    mode: "constant",
  });
}

/** How far one frame starts behind the one before. */
function hopOf(node: OpNode, points: number): number {
  return node.optionalInt("hop_length") ?? Math.floor(points / 4);
}

/**
 * aten::stft(Tensor self, int n_fft, int? hop_length=None, int? win_length=None, Tensor? window=None, bool normalized=False,
 * bool? onesided=None, bool? return_complex=None, bool? align_to_window=None) -> Tensor: the spectrum of every frame,
 * [.., points, frames].
 * What `center` pads has become an op of its own in the program.
 */
function spectra(node: OpNode, g: Emitter): ComplexVal {
  if (node.has("align_to_window") && node.bool("align_to_window"))
    return unsupported("its frames are aligned to the window");
  if (node.isComplex("window")) return unsupported("its window is complex");
  const { dtype, dims } = node.out();
  const signal = realPart(node, "self", g);
  const isPaired = dims.length === signal.dims.length + 2;
  const points = node.int("n_fft");
  const rank = signal.dims.length + 1;
  const places = g.op("Add", [
    g.unsqueeze(arange(g, dims.at(isPaired ? -2 : -1)!, { step: hopOf(node, points) }), [1]),
    g.unsqueeze(arange(g, points), [0]),
  ]);
  const window = windowOf(node, g, { points, dtype });
  const windowed = (x: Val): Val => {
    const frames = g.op("Gather", [x, places], { axis: rank - 2 });
    return window === undefined ? frames : g.op("Mul", [frames, window]);
  };
  const given = componentsOf(node, "self", { g, dtype });
  const isHalf = node.has("onesided") ? node.bool("onesided") : given.im === undefined;
  const scale = node.bool("normalized") ? "root" : "none";
  const how = { axis: rank - 1, rank, length: points, isInverse: false, scale } as const;
  const { re, im } = isHalf
    ? halfTransform(g, windowed(given.re), how)
    : transform(g, { re: windowed(given.re), im: given.im && windowed(given.im) }, how);
  return { re: swapped(g, re, rank), im: swapped(g, im, rank) };
}

/** `return_complex=False`: the parts in a last dimension. */
const realStft: Lowering = (node, g) =>
  joined(g, spectra(node, g), realPart(node, "self", g).dims.length + 1);

/** With a complex operand or result. */
const complexStft: ComplexLowering = (node, g) =>
  isComplex(node.out().declared) ? spectra(node, g) : realStft(node, g);

function swapped(g: Emitter, x: Val, rank: number): Val {
  return g.transpose(x, rank === 2 ? [1, 0] : [0, 2, 1]);
}

/**
 * aten::istft(Tensor self, int n_fft, int? hop_length=None, int? win_length=None, Tensor? window=None, bool center=True,
 * bool normalized=False, bool? onesided=None, int? length=None, bool return_complex=False) -> Tensor: frames added up where they overlap,
 * divided by what their windows add up to
 */
const istft: ComplexLowering = (node, g) => {
  if (node.isComplex("window")) return unsupported("its window is complex");
  const { dtype } = node.out();
  const points = node.int("n_fft");
  const spectrum = realPart(node, "self", g);
  const rank = spectrum.dims.length;
  const [rows, count] = spectrum.dims.slice(-2) as [Dim, Dim];
  const scale = node.bool("normalized") ? "root" : "length";
  const how = { axis: rank - 2, rank, length: points, isInverse: true, scale } as const;
  const isWhole = node.bool("return_complex");
  const to = isWhole ? points : halfOf(points);
  const fit = (x: Val): Val => fitted(g, x, { rank, axis: rank - 2, from: rows, to });
  const { re, im } = componentsOf(node, "self", { g, dtype });
  const given = { re: fit(re), im: im && fit(im) };
  const window = windowOf(node, g, { points, dtype }) ?? g.expand(g.scalar(dtype, 1), [points]);
  const column = g.unsqueeze(window, [1]);
  const size = add(points, mul(hopOf(node, points), add(count, -1)));
  const overlap = { points, hop: hopOf(node, points), size };
  const batch = rank === 2 ? 1 : spectrum.dims[0]!;
  const total = (frames: Val): Val => {
    const windowed = g.reshape(g.op("Mul", [frames, column]), [batch, points, count]);
    return overlapped(g, windowed, { ...overlap, batch });
  };
  const squares = g.expand(g.unsqueeze(g.op("Mul", [column, column]), [0]), [1, points, count]);
  const weights = overlapped(g, squares, { ...overlap, batch: 1 });
  const trim = trimming(node, g, { weights, size, points });
  const signal = (frames: Val): Val => g.reshape(trim(total(frames)), node.out().dims);
  if (!isWhole) return signal(realTransform(g, given, how));
  const whole = transform(g, given, how);
  return { re: signal(whole.re), im: signal(whole.im) };
};

interface Overlap {
  readonly batch: Dim;
  readonly points: number;
  readonly hop: number;
  readonly size: Dim;
}

/** Adds frames [batch, points, count] up at their places in a signal: [batch, size]. */
function overlapped(g: Emitter, frames: Val, { batch, points, hop, size }: Overlap): Val {
  const image = g.op("Col2Im", [frames, g.shape([1, size]), g.ints([1, points])], { strides: [1, hop] });
  return g.reshape(image, [batch, size]);
}

interface Sums {
  readonly weights: Val;
  readonly size: Dim;
  readonly points: number;
}

/** Cuts off what `center` had padded, and keeps to the length that is asked for: zeros follow a signal that is shorter. */
function trimming(node: OpNode, g: Emitter, { weights, size, points }: Sums): (total: Val) => Val {
  const isCentred = node.bool("center");
  const start = isCentred ? Math.floor(points / 2) : 0;
  const length = node.has("length") ? node.size("length") : undefined;
  const end = length !== undefined ? add(start, length) : isCentred ? add(size, -start) : size;
  const cut = (x: Val): Val => slice(g, x, { axis: 1, start, end });
  const covered = cut(weights);
  const isGap = g.op("Less", [g.op("Abs", [covered]), g.scalar(covered.dtype, 1e-11)]);
  const isNothing = g.op("Equal", [g.op("Size", [covered]), g.scalar("int64", 0)]);
  const faults = g.op("Concat", [g.reshape(isGap, [-1]), g.unsqueeze(isNothing, [0])], { axis: 0 });
  g.guards.push(requirement(g, "windows that leave no gap", faults));
  return (total) => {
    const signal = g.op("Div", [cut(total), covered]);
    if (length === undefined) return signal;
    return fitted(g, signal, { rank: 2, axis: 1, from: add(size, -start), to: length });
  };
}

/** Short-time transforms of real tensors that give real ones. */
export const STFT: LoweringTable = {
  "aten.stft.default": realStft,
};

/** Spectra of short frames of a signal, and the signal of such spectra. */
export const COMPLEX_SHORT_TIME_FOURIER: ComplexTable = {
  "aten.stft.default": complexStft,
  "aten.istft.default": istft,
};

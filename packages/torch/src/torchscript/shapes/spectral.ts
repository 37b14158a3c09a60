import { componentDtype, type DType } from "../../dtype.ts";
import { add, type Dim, mul, sub, sym } from "../../graph/sym.ts";
import { unsupportedOp } from "../unsupported-op.ts";
import { axisOf, broadcast, requireSame, windowCount } from "./dims.ts";
import {
  complexOf,
  floatOf,
  type ShapeArgs,
  type ShapeFn,
  type ShapeTable,
  tensorType,
} from "./shape-args.ts";

function spectrumOf(dtype: DType): DType {
  return componentDtype(dtype) === undefined ? complexOf(floatOf(dtype)) : dtype;
}

function realOf(dtype: DType): DType {
  return componentDtype(dtype) ?? floatOf(dtype);
}

/** The axes of a transform and the lengths that are asked for: `n` and `dim`, or `s` and `dim`; the last ones without `dim`. */
function transformed(args: ShapeArgs, own: readonly Dim[]): { axis: number; length: Dim | undefined }[] {
  const lengths = args.has("n") ? [args.size("n")] : args.has("s") ? args.sizes("s") : undefined;
  const all = [...own.keys()];
  const axes = args.has("dim")
    ? args.ints("dim").map((axis) => axisOf(axis, own.length))
    : lengths === undefined
      ? all
      : all.slice(all.length - lengths.length);
  return axes.map((axis, i) => {
    const length = lengths?.[i];
    return { axis, length: length === -1 ? undefined : length };
  });
}

/** The sizes after a transform whose last axis goes through `last`, given what is asked for and what is there. */
function transformDims(args: ShapeArgs, last: (length: Dim | undefined, own: Dim) => Dim): Dim[] {
  const { dims } = args.tensor("self");
  const result = [...dims];
  const axes = transformed(args, dims);
  for (const [i, { axis, length }] of axes.entries()) {
    const own = result[axis]!;
    result[axis] = i === axes.length - 1 ? last(length, own) : (length ?? own);
  }
  return result;
}

const whole: ShapeFn = (args) =>
  tensorType(
    spectrumOf(args.tensor("self").dtype),
    transformDims(args, (length, own) => length ?? own),
  );

/** Half of a spectrum, the other half of which follows from it. */
const toHalf: ShapeFn = (args) =>
  tensorType(
    spectrumOf(args.tensor("self").dtype),
    transformDims(args, (length, own) => add(sym("floordiv", length ?? own, 2), 1)),
  );

const fromHalf: ShapeFn = (args) =>
  tensorType(
    realOf(args.tensor("self").dtype),
    transformDims(args, (length, own) => length ?? mul(2, sub(own, 1))),
  );

const parts: ShapeFn = (args) => {
  const { dtype, dims } = args.tensor("self");
  const part = componentDtype(dtype) ?? unsupportedOp("its operand is not complex");
  return tensorType(part, [...dims, 2]);
};

const joined: ShapeFn = (args) => {
  const { dtype, dims } = args.tensor("self");
  requireSame(dims.at(-1) ?? 1, 2);
  return tensorType(complexOf(dtype), dims.slice(0, -1));
};

const pair =
  (first: string, second: string): ShapeFn =>
  (args) =>
    tensorType(
      complexOf(args.tensor(first).dtype),
      broadcast(args.tensor(first).dims, args.tensor(second).dims),
    );

/** One part, or a number made of both. */
const part: ShapeFn = (args) => {
  const { dtype, dims } = args.tensor("self");
  return tensorType(componentDtype(dtype) ?? dtype, dims);
};

const same: ShapeFn = (args) => args.tensor("self");

/** One spectrum for each place of the window: [batch, frequencies, places]. */
const shortTime: ShapeFn = (args) => {
  const { dims } = args.tensor("self");
  const own = args.tensor("self").dtype;
  const dtype =
    args.has("window") && componentDtype(own) === undefined ? args.promoted("self", "window") : own;
  const [length, hop] = [args.int("n_fft"), args.has("hop_length") ? args.int("hop_length") : undefined];
  const isComplex = componentDtype(dtype) !== undefined;
  const isOneSided = args.has("onesided") ? args.bool("onesided") : !isComplex;
  const frequencies = isOneSided ? Math.floor(length / 2) + 1 : length;
  const step = hop ?? Math.floor(length / 4);
  const places = windowCount(dims.at(-1)!, { kernel: length, stride: step, padding: 0, dilation: 1 });
  const shape = [...dims.slice(0, -1), frequencies, places];
  if (args.has("return_complex") && args.bool("return_complex")) return tensorType(spectrumOf(dtype), shape);
  return tensorType(realOf(dtype), [...shape, 2]);
};

/** A signal of a given length, or of what the frames make together. */
const fromShortTime: ShapeFn = (args) => {
  const { dtype, dims } = args.tensor("self");
  const points = args.int("n_fft");
  const hop = args.has("hop_length") ? args.int("hop_length") : Math.floor(points / 4);
  const frames = dims.at(-1)!;
  const total = add(points, mul(hop, sub(frames, 1)));
  const length = args.has("length")
    ? args.size("length")
    : args.bool("center")
      ? sub(total, 2 * Math.floor(points / 2))
      : total;
  const own = args.bool("return_complex") ? dtype : realOf(dtype);
  return tensorType(own, [...dims.slice(0, -2), length]);
};

const everyRank = (name: string, shape: ShapeFn): ShapeTable =>
  Object.fromEntries(["", "2", "n"].map((suffix) => [`fft_${name}${suffix}`, shape]));

/** Fourier transforms, and what leads from real numbers to complex ones and back. */
export const SPECTRAL: ShapeTable = {
  ...everyRank("fft", whole),
  ...everyRank("ifft", whole),
  ...everyRank("rfft", toHalf),
  ...everyRank("ihfft", toHalf),
  ...everyRank("irfft", fromHalf),
  ...everyRank("hfft", fromHalf),
  fft_fftfreq: (args) => tensorType(args.dtype() ?? "float32", [args.size("n")]),
  fft_rfftfreq: (args) => tensorType(args.dtype() ?? "float32", [add(sym("floordiv", args.size("n"), 2), 1)]),
  fft_fftshift: same,
  fft_ifftshift: same,
  view_as_real: parts,
  view_as_complex: joined,
  complex: pair("real", "imag"),
  polar: pair("abs", "angle"),
  real: part,
  imag: part,
  abs: part,
  conj: same,
  "stft.default": shortTime,
  istft: fromShortTime,
  _conj: same,
};

/**
 * Ops whose shape functions know complex operands; all others refuse them. Whether the op has a translation for complex numbers is
 * decided where it is translated.
 */
const TAKES_COMPLEX = new Set([
  ...Object.keys(SPECTRAL),
  ..."add sub rsub mul div subtract multiply neg matmul bmm mm mv einsum copy_ zeros_like ones_like sum mean".split(
    " ",
  ),
  ..."reshape view flatten unflatten squeeze unsqueeze transpose permute t movedim expand expand_as repeat contiguous clone".split(
    " ",
  ),
  ..."mT numpy_T swapaxes swapdims broadcast_to tile split_with_sizes index gather unfold diagonal tril triu index_put fill_".split(
    " ",
  ),
  ..."view_as reshape_as resolve_neg alias_copy lift_fresh_copy new_zeros zeros zero fill full full_like new_full select_scatter slice_scatter conj_physical _conj_physical _to_copy".split(
    " ",
  ),
  ..."reciprocal angle eq ne isreal sgn where masked_fill pad constant_pad_nd cumsum dot linear addmm baddbmm to type_as".split(
    " ",
  ),
  ..."sqrt exp log square pow addcmul vdot outer kron isnan isfinite isinf positive sin cos tan sinh cosh tanh".split(
    " ",
  ),
  ..."slice select narrow index_select split chunk unbind cat stack roll flip resolve_conj detach alias".split(
    " ",
  ),
]);

/** Whether the type of a result is known where an operand is complex. */
export function takesComplex(target: string): boolean {
  return TAKES_COMPLEX.has(target.split(".")[1]!);
}

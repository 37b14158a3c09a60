import { add, type Dim, mul } from "../../graph/sym.ts";
import {
  type ComplexLowering,
  type ComplexTable,
  type Components,
  componentsOf,
  realPart,
} from "../complex/complex-lowering.ts";
import type { Emitter } from "../core/emitter.ts";
import type { Lowering, LoweringTable } from "../core/lowering.ts";
import type { OpNode } from "../core/op-node.ts";
import { type ComplexVal, normalizeAxis, type Tensor } from "../core/tensor.ts";
import { unsupported } from "../core/unsupported.ts";
import { fitted, halfOf, halfTransform, realTransform, type Scale, transform } from "./dft.ts";

/** A transform over several axes: how many points along each, and the sign and scale of all. */
interface Plan {
  readonly axes: readonly { readonly axis: number; readonly length: Dim }[];
  readonly isInverse: boolean;
  readonly scale: Scale;
}

type Planner = (node: OpNode, self: Tensor) => Plan;

/** `norm` of torch.fft: where the factor 1/n stands, on the way there, back, or halved between both. */
function scaleOf(node: OpNode, isInverse: boolean): Scale {
  const norm = node.has("norm") ? node.string("norm") : "backward";
  if (norm === "ortho") return "root";
  return (norm === "forward") === isInverse ? "none" : "length";
}

/**
 * How torch.fft's functions state axes and lengths: `n` and `dim`, or `s` and `dim`. Without `dim` they are the last ones that `s` has
 * lengths for, or all; a length that is missing or -1 is the operand's.
 */
function planned(isInverse: boolean, isFromHalf = false): Planner {
  return (node, self) => {
    const rank = self.dims.length;
    const lengths = node.has("n") ? node.sizes("n") : node.has("s") ? node.sizes("s") : undefined;
    const all = self.dims.map((_, axis) => axis);
    const dims = node.has("dim")
      ? node.ints("dim")
      : lengths === undefined
        ? all
        : all.slice(rank - lengths.length);
    const axes = dims.map((dim, i) => {
      const axis = normalizeAxis(dim, rank);
      const own = self.dims[axis]!;
      const isHalf = isFromHalf && i === dims.length - 1;
      const given = lengths?.[i] ?? -1;
      return { axis, length: given !== -1 ? given : isHalf ? mul(2, add(own, -1)) : own };
    });
    return { axes, isInverse, scale: scaleOf(node, isInverse) };
  };
}

/** How the ATen primitives state it: the axes, a number for the scale, and a direction. */
function primitive(isInverse: (node: OpNode) => boolean): Planner {
  return (node, self) => {
    const scale = (["none", "root", "length"] as const)[node.int("normalization")];
    if (scale === undefined) return unsupported("its normalization is not one of 0, 1 and 2");
    const dims = node.ints("dim").map((dim) => normalizeAxis(dim, self.dims.length));
    const axes = dims.map((axis, i) => {
      const isLast = i === dims.length - 1 && node.has("last_dim_size");
      return { axis, length: isLast ? node.size("last_dim_size") : self.dims[axis]! };
    });
    return { axes, isInverse: isInverse(node), scale };
  };
}

interface Operands {
  readonly self: Tensor;
  readonly x: Components;
}

function operandsOf(node: OpNode, g: Emitter): Operands {
  const { dtype } = node.out();
  return { self: realPart(node, "self", g), x: componentsOf(node, "self", { g, dtype }) };
}

/** Brings one axis to the length of its transform. */
function resized(g: Emitter, { self, x }: Operands, { axis, to }: { axis: number; to: Dim }): Components {
  const how = { rank: self.dims.length, axis, from: self.dims[axis]!, to };
  return { re: fitted(g, x.re, how), im: x.im && fitted(g, x.im, how) };
}

/** Transforms x along all axes of a plan. */
function transformAll(g: Emitter, { self, x }: Operands, { axes, ...how }: Plan): Components {
  const rank = self.dims.length;
  return axes.reduce<Components>((parts, { axis, length }) => {
    const operand = resized(g, { self, x: parts }, { axis, to: length });
    return transform(g, operand, { axis, length, rank, ...how });
  }, x);
}

/** A spectrum over no axis at all is the tensor itself. */
function completed(node: OpNode, g: Emitter, { re, im }: Components): ComplexVal {
  return { re, im: im ?? g.expand(g.scalar(re.dtype, 0), node.out().dims) };
}

/**
 * aten::fft_fft(Tensor self, SymInt? n=None, int dim=-1, str? norm=None) -> Tensor
 * aten::_fft_c2c(Tensor self, SymInt[] dim, int normalization, bool forward) -> Tensor
 * aten::fft_fft2(Tensor self, SymInt[1]? s=None, int[1] dim=[-2, -1], str? norm=None) -> Tensor
 * aten::fft_fftn(Tensor self, SymInt[1]? s=None, int[1]? dim=None, str? norm=None) -> Tensor
 * aten::fft_ifft(Tensor self, SymInt? n=None, int dim=-1, str? norm=None) -> Tensor
 * aten::fft_ifft2(Tensor self, SymInt[1]? s=None, int[1] dim=[-2, -1], str? norm=None) -> Tensor
 * aten::fft_ifftn(Tensor self, SymInt[1]? s=None, int[1]? dim=None, str? norm=None) -> Tensor
 *
 * The whole spectrum.
 */
function whole(planner: Planner): ComplexLowering {
  return (node, g) => {
    const operands = operandsOf(node, g);
    return completed(node, g, transformAll(g, operands, planner(node, operands.self)));
  };
}

/**
 * aten::fft_rfft(Tensor self, SymInt? n=None, int dim=-1, str? norm=None) -> Tensor
 * aten::fft_ihfft(Tensor self, SymInt? n=None, int dim=-1, str? norm=None) -> Tensor
 * aten::fft_ihfft2(Tensor self, SymInt[1]? s=None, int[1] dim=[-2, -1], str? norm=None) -> Tensor
 * aten::fft_ihfftn(Tensor self, SymInt[1]? s=None, int[1]? dim=None, str? norm=None) -> Tensor
 * aten::fft_rfft2(Tensor self, SymInt[1]? s=None, int[1] dim=[-2, -1], str? norm=None) -> Tensor
 * aten::fft_rfftn(Tensor self, SymInt[1]? s=None, int[1]? dim=None, str? norm=None) -> Tensor
 *
 * Half of the last axis of a real tensor.
 */
function half(planner: Planner): ComplexLowering {
  return (node, g) => {
    const operands = operandsOf(node, g);
    const { axes, ...how } = planner(node, operands.self);
    const last = axes.at(-1) ?? unsupported("it transforms no axis");
    const { re } = resized(g, operands, { axis: last.axis, to: last.length });
    const x = halfTransform(g, re, { ...last, rank: operands.self.dims.length, ...how });
    const rest = { axes: axes.slice(0, -1), ...how };
    return completed(node, g, transformAll(g, { self: operands.self, x }, rest));
  };
}

/**
 * aten::fft_irfft(Tensor self, SymInt? n=None, int dim=-1, str? norm=None) -> Tensor
 * aten::_fft_c2r(Tensor self, int[] dim, int normalization, SymInt last_dim_size) -> Tensor
 * aten::fft_hfft(Tensor self, SymInt? n=None, int dim=-1, str? norm=None) -> Tensor
 * aten::fft_hfft2(Tensor self, SymInt[1]? s=None, int[1] dim=[-2, -1], str? norm=None) -> Tensor
 * aten::fft_hfftn(Tensor self, SymInt[1]? s=None, int[1]? dim=None, str? norm=None) -> Tensor
 * aten::fft_irfft2(Tensor self, SymInt[1]? s=None, int[1] dim=[-2, -1], str? norm=None) -> Tensor
 * aten::fft_irfftn(Tensor self, SymInt[1]? s=None, int[1]? dim=None, str? norm=None) -> Tensor
 *
 * From half of the last axis to a real tensor.
 */
function fromHalf(planner: Planner): Lowering {
  return (node, g) => {
    const operands = operandsOf(node, g);
    const { axes, ...how } = planner(node, operands.self);
    const last = axes.at(-1) ?? unsupported("it transforms no axis");
    const { self } = operands;
    const x = transformAll(g, operands, { axes: axes.slice(0, -1), ...how });
    const spectrum = resized(g, { self, x }, { axis: last.axis, to: halfOf(last.length) });
    return realTransform(g, spectrum, { ...last, rank: self.dims.length, ...how });
  };
}

/** aten::_fft_r2c(Tensor self, int[] dim, int normalization, bool onesided) -> Tensor */
const realToComplex: ComplexLowering = (node, g) =>
  (node.bool("onesided") ? half : whole)(primitive(() => false))(node, g);

/** For one axis, two, and any number: `fft`, `fft2`, `fftn`. */
function forms<T>(name: string, lowering: T): Record<string, T> {
  return Object.fromEntries(["", "2", "n"].map((suffix) => [`aten.fft_${name}${suffix}.default`, lowering]));
}

const REAL_RESULTS = {
  ...forms("irfft", fromHalf(planned(true, true))),
  ...forms("hfft", fromHalf(planned(false, true))),
};

/** Fourier transforms of real tensors that give real ones. */
export const FFT: LoweringTable = REAL_RESULTS;

/** Fourier transforms with complex numbers on one side or both. */
export const COMPLEX_FOURIER: ComplexTable = {
  ...REAL_RESULTS,
  ...forms("fft", whole(planned(false))),
  ...forms("ifft", whole(planned(true))),
  ...forms("rfft", half(planned(false))),
  ...forms("ihfft", half(planned(true))),
  "aten._fft_c2c.default": whole(primitive((node) => !node.bool("forward"))),
  "aten._fft_r2c.default": realToComplex,
  "aten._fft_c2r.default": fromHalf(primitive(() => true)),
};

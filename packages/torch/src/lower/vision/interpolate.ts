import { sameDim } from "../../graph/sym.ts";
import { type Attributes, float } from "../../onnx/model.ts";
import type { Emitter } from "../core/emitter.ts";
import type { Lowering, LoweringTable } from "../core/lowering.ts";
import { unlessNothing } from "../core/nothing.ts";
import type { OpNode } from "../core/op-node.ts";
import type { Tensor, Val } from "../core/tensor.ts";
import { unsupported } from "../core/unsupported.ts";
import { antialiasAxis } from "./antialias-axis.ts";
import { resizePixels } from "./fixed-point-resize.ts";
import { type AxisResize, interpolateAxis, isExact, isSameSize, type Kernel } from "./interpolate-axis.ts";

/** The axes that an upsample op resizes, with the factors it names (one overload lists them, the other has one argument each). */
function axesOf(node: OpNode, input: Tensor): AxisResize[] {
  const rank = input.dims.length;
  const spatial = rank - 2;
  const { dims } = node.out();
  const factors = factorsOf(node, spatial);
  return Array.from({ length: spatial }, (_, i) => ({
    axis: i + 2,
    from: input.dims[i + 2]!,
    to: dims[i + 2]!,
    factor: factors[i],
  })).filter(({ from, to, factor }) => !(sameDim(from, to) && (factor === undefined || factor === 1)));
}

function factorsOf(node: OpNode, spatial: number): (number | undefined)[] {
  if (node.target.endsWith(".vec")) {
    if (!node.has("scale_factors")) return [];
    return node.items("scale_factors").map((item) => {
      if (item.kind === "float" || item.kind === "int") return Number(item.value);
      return unsupported("its scale factor is not constant");
    });
  }
  const names = spatial === 1 ? ["scales"] : ["scales_d", "scales_h", "scales_w"].slice(3 - spatial);
  return names.map((name) => node.optionalFloat(name));
}

function inputOf(node: OpNode): Tensor {
  return node.tensor(node.has("input") ? "input" : "self");
}

/**
 * aten::upsample_nearest2d.vec(Tensor input, SymInt[]? output_size, float[]? scale_factors) -> Tensor
 * aten::_upsample_nearest_exact1d(Tensor self, SymInt[1] output_size, float? scales=None) -> Tensor
 * aten::_upsample_nearest_exact1d.vec(Tensor input, SymInt[]? output_size, float[]? scale_factors) -> Tensor
 * aten::_upsample_nearest_exact2d(Tensor self, SymInt[2] output_size, float? scales_h=None, float? scales_w=None) -> Tensor
 * aten::_upsample_nearest_exact2d.vec(Tensor input, SymInt[]? output_size, float[]? scale_factors) -> Tensor
 * aten::_upsample_nearest_exact3d(Tensor self, SymInt[3] output_size, float? scales_d=None, float? scales_h=None, float? scales_w=None) -> Tensor
 * aten::_upsample_nearest_exact3d.vec(Tensor input, SymInt[]? output_size, float[]? scale_factors) -> Tensor
 * aten::upsample_nearest1d(Tensor self, SymInt[1] output_size, float? scales=None) -> Tensor
 * aten::upsample_nearest1d.vec(Tensor input, SymInt[]? output_size, float[]? scale_factors) -> Tensor
 * aten::upsample_nearest2d(Tensor self, SymInt[2] output_size, float? scales_h=None, float? scales_w=None) -> Tensor
 * aten::upsample_nearest3d(Tensor self, SymInt[3] output_size, float? scales_d=None, float? scales_h=None, float? scales_w=None) -> Tensor
 * aten::upsample_nearest3d.vec(Tensor input, SymInt[]? output_size, float[]? scale_factors) -> Tensor
 *
 * Whole factors go to Resize; all others round in ways of PyTorch's own.
 */
function nearest(kernel: "nearest" | "nearest-exact"): Lowering {
  return (node, g) => {
    const input = inputOf(node);
    const axes = axesOf(node, input);
    const factors = axes.map(wholeFactor);
    if (input.dtype === "float32" && factors.every((factor) => factor !== undefined)) {
      if (axes.length === 0) return input;
      const scales = input.dims.map((_, i) => factors[axes.findIndex(({ axis }) => axis === i)] ?? 1);
      return g.op("Resize", [input, undefined, g.constant("float32", scales, [scales.length])], {
        mode: "nearest",
        coordinate_transformation_mode: "asymmetric",
        nearest_mode: "floor",
      });
    }
    return byAxis(g, input, axes, kernel);
  };
}

/** The factor when it is whole, so that every element is repeated that often by both nearest modes. */
function wholeFactor({ from, to, factor }: AxisResize): number | undefined {
  if (factor !== undefined) {
    const fits = typeof from !== "number" || typeof to !== "number" || from * factor === to;
    return Number.isInteger(factor) && fits ? factor : undefined;
  }
  return typeof from === "number" && typeof to === "number" && to % from === 0 ? to / from : undefined;
}

function byAxis(g: Emitter, input: Tensor, axes: readonly AxisResize[], kernel: Kernel): Val {
  const rank = input.dims.length;
  return axes.reduce<Val>((x, resize) => interpolateAxis(g, x, { resize, kernel, rank }), input);
}

/**
 * aten::upsample_bilinear2d.vec(Tensor input, SymInt[]? output_size, bool align_corners, float[]? scale_factors) -> Tensor
 * aten::upsample_bicubic2d(Tensor self, SymInt[2] output_size, bool align_corners, float? scales_h=None, float? scales_w=None) -> Tensor
 * aten::upsample_bicubic2d.vec(Tensor input, SymInt[]? output_size, bool align_corners, float[]? scale_factors) -> Tensor
 * aten::upsample_bilinear2d(Tensor self, SymInt[2] output_size, bool align_corners, float? scales_h=None, float? scales_w=None) -> Tensor
 * aten::upsample_linear1d(Tensor self, SymInt[1] output_size, bool align_corners, float? scales=None) -> Tensor
 * aten::upsample_linear1d.vec(Tensor input, SymInt[]? output_size, bool align_corners, float[]? scale_factors) -> Tensor
 * aten::upsample_trilinear3d(Tensor self, SymInt[3] output_size, bool align_corners, float? scales_d=None, float? scales_h=None, float? scales_w=None) -> Tensor
 * aten::upsample_trilinear3d.vec(Tensor input, SymInt[]? output_size, bool align_corners, float[]? scale_factors) -> Tensor
 */
function smooth(kernel: "linear" | "cubic"): Lowering {
  return (node, g) => {
    const input = inputOf(node);
    if (input.dtype === "uint8" && input.dims.length === 4)
      return pixels(node, g, { kernel, isAntialiased: false });
    if (!input.dtype.startsWith("float")) unsupported(`interpolation of ${input.dtype} values`);
    const aligned = node.bool("align_corners");
    const axes = axesOf(node, input).map((axis) => (aligned ? { ...axis, factor: undefined } : axis));
    if (axes.length === 0) return input;
    const attributes: Attributes = {
      mode: kernel,
      coordinate_transformation_mode: aligned ? "align_corners" : "half_pixel",
      ...(kernel === "cubic" ? { cubic_coeff_a: float(-0.75) } : {}),
    };
    if (axes.every(isExact)) return resize(node, g, { input, attributes });
    if (axes.every(isSameSize)) return resize(node, g, { input, attributes, axes });
    return byAxis(g, input, axes, kernel);
  };
}

interface Resizing {
  readonly input: Tensor;
  readonly attributes: Attributes;
  /** Resizes by these axes' factors; without them, to the size of the result. */
  readonly axes?: readonly AxisResize[];
}

/** One Resize; a single spatial axis gets a second one, for which ONNX Runtime has a fast kernel. */
function resize(node: OpNode, g: Emitter, { input, attributes, axes }: Resizing): Val {
  const isFlat = input.dims.length === 3;
  const { dims } = node.out();
  const widened = <T>(values: readonly T[], one: T): T[] =>
    isFlat ? [values[0]!, values[1]!, one, values[2]!] : [...values];
  const x = isFlat ? g.unsqueeze(input, [2]) : input;
  const factors = input.dims.map((_, i) => axes?.find(({ axis }) => axis === i)?.factor ?? 1);
  const target =
    axes === undefined
      ? [undefined, g.shape(widened(dims, 1))]
      : [g.constant("float32", widened(factors, 1), [isFlat ? 4 : factors.length])];
  const result = g.op("Resize", [x, undefined, ...target], attributes);
  return isFlat ? g.squeeze(result, [2]) : result;
}

/**
 * aten::_upsample_bilinear2d_aa.vec(Tensor input, SymInt[]? output_size, bool align_corners, float[]? scale_factors) -> Tensor
 * aten::_upsample_bicubic2d_aa(Tensor self, SymInt[2] output_size, bool align_corners, float? scales_h=None, float? scales_w=None) -> Tensor
 * aten::_upsample_bicubic2d_aa.vec(Tensor input, SymInt[]? output_size, bool align_corners, float[]? scale_factors) -> Tensor
 * aten::_upsample_bilinear2d_aa(Tensor self, SymInt[2] output_size, bool align_corners, float? scales_h=None, float? scales_w=None) -> Tensor
 */
function smoothAntialiased(kernel: "linear" | "cubic"): Lowering {
  return (node, g) => {
    const input = inputOf(node);
    if (input.dtype === "uint8") return pixels(node, g, { kernel, isAntialiased: true });
    if (!input.dtype.startsWith("float")) unsupported(`interpolation of ${input.dtype} values`);
    const aligned = node.bool("align_corners");
    // A product with no matrices is not one with an empty result.
    return unlessNothing(g, {
      sizes: input.dims.slice(0, 2),
      empty: [{ dtype: input.dtype, dims: node.out().dims }],
      emit: (at) => [
        axesOf(node, input).reduce<Val>(
          (x, axis) => antialiasAxis(at, x, { resize: axis, kernel, aligned }),
          input,
        ),
      ],
    })[0]!;
  };
}

/** uint8 images: the columns first, then the rows, each rounded to pixels; an axis that keeps its size is left as it is. */
function pixels(
  node: OpNode,
  g: Emitter,
  { kernel, isAntialiased }: { kernel: "linear" | "cubic"; isAntialiased: boolean },
): Val {
  const input = inputOf(node);
  const aligned = node.bool("align_corners");
  const axes = axesOf(node, input).filter(({ from, to }) => !sameDim(from, to));
  return unlessNothing(g, {
    sizes: input.dims.slice(0, 2),
    empty: [{ dtype: input.dtype, dims: node.out().dims }],
    emit: (at) => [
      at.cast(
        axes.reduceRight<Val>(
          (x, resize) => resizePixels(at, x, { resize, kernel, aligned, isAntialiased }),
          at.cast(input, "float64"),
        ),
        "uint8",
      ),
    ],
  })[0]!;
}

function overloads(name: string, lowering: Lowering): LoweringTable {
  return { [`aten.${name}.default`]: lowering, [`aten.${name}.vec`]: lowering };
}

export const INTERPOLATE: LoweringTable = {
  ...overloads("upsample_nearest1d", nearest("nearest")),
  ...overloads("upsample_nearest2d", nearest("nearest")),
  ...overloads("upsample_nearest3d", nearest("nearest")),
  ...overloads("_upsample_nearest_exact1d", nearest("nearest-exact")),
  ...overloads("_upsample_nearest_exact2d", nearest("nearest-exact")),
  ...overloads("_upsample_nearest_exact3d", nearest("nearest-exact")),
  ...overloads("upsample_linear1d", smooth("linear")),
  ...overloads("upsample_bilinear2d", smooth("linear")),
  ...overloads("upsample_trilinear3d", smooth("linear")),
  ...overloads("upsample_bicubic2d", smooth("cubic")),
  ...overloads("_upsample_bilinear2d_aa", smoothAntialiased("linear")),
  ...overloads("_upsample_bicubic2d_aa", smoothAntialiased("cubic")),
};

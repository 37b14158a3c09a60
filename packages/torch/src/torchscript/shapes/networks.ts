import { least } from "../../graph/bounds.ts";
import type { TensorType } from "../../graph/ir.ts";
import { add, type Dim, mul, sub, sym } from "../../graph/sym.ts";
import { unsupportedOp } from "../unsupported-op.ts";
import { broadcast, ceilDivide, numeric, quotient, requireSame, windowCount } from "./dims.ts";
import { floatOf, type ShapeArgs, type ShapeFn, type ShapeTable, tensorType } from "./shape-args.ts";

/** Padding of both sides together, per axis; `same` and `valid` by name. */
function totalPadding(args: ShapeArgs, kernel: readonly number[], dilation: readonly number[]): number[] {
  if (args.get("padding").kind !== "string") return args.each("padding", kernel.length).map((pad) => 2 * pad);
  const isSame = args.text("padding") === "same";
  return kernel.map((size, i) => (isSame ? dilation[i]! * (size - 1) : 0));
}

const conv: ShapeFn = (args) => {
  const { dtype, dims } = args.tensor("input");
  const weight = args.tensor("weight").dims.map(numeric);
  const kernel = weight.slice(2);
  const rank = kernel.length;
  const space = dims.slice(dims.length - rank);
  const [stride, dilation] = [args.each("stride", rank), args.each("dilation", rank)];
  const lead = dims.slice(0, dims.length - rank - 1);
  if (args.has("transposed") && args.bool("transposed")) return convTransposed(args);
  requireSame(dims[dims.length - rank - 1]!, weight[1]! * args.int("groups"));
  const padding = totalPadding(args, kernel, dilation);
  const out = space.map((dim, i) =>
    windowCount(dim, {
      kernel: kernel[i]!,
      stride: stride[i]!,
      padding: padding[i]!,
      dilation: dilation[i]!,
    }),
  );
  return tensorType(dtype, [...lead, weight[0]!, ...out]);
};

const convTransposed = (args: ShapeArgs): TensorType => {
  const { dtype, dims } = args.tensor("input");
  const weight = args.tensor("weight").dims.map(numeric);
  const kernel = weight.slice(2);
  const rank = kernel.length;
  requireSame(dims[dims.length - rank - 1]!, weight[0]!);
  const each = (name: string): number[] => args.each(name, rank);
  const [stride, dilation, padding, extra] = [
    each("stride"),
    each("dilation"),
    each("padding"),
    each("output_padding"),
  ];
  const space = dims.slice(dims.length - rank);
  const out = space.map((dim, i) =>
    add(mul(sub(dim, 1), stride[i]!), dilation[i]! * (kernel[i]! - 1) + 1 + extra[i]! - 2 * padding[i]!),
  );
  return tensorType(dtype, [
    ...dims.slice(0, dims.length - rank - 1),
    weight[1]! * args.int("groups"),
    ...out,
  ]);
};

/** Kernel, stride (the kernel's when empty), padding and dilation of a pooling over `rank` axes. */
const pool =
  (rank: number, outputs: 1 | 2 = 1): ShapeFn =>
  (args) => {
    const { dtype, dims } = args.tensor("self");
    const kernel = args.each("kernel_size", rank);
    const stride = args.has("stride") && args.sizes("stride").length > 0 ? args.each("stride", rank) : kernel;
    const padding = args.each("padding", rank);
    const dilation = args.has("dilation") ? args.each("dilation", rank) : new Array<number>(rank).fill(1);
    const out = dims.slice(dims.length - rank).map((dim, i) => {
      const window = {
        kernel: kernel[i]!,
        stride: stride[i]!,
        padding: 2 * padding[i]!,
        dilation: dilation[i]!,
      };
      return args.bool("ceil_mode") ? ceilCount(dim, window) : windowCount(dim, window);
    });
    const type = tensorType(dtype, [...dims.slice(0, dims.length - rank), ...out]);
    return outputs === 1 ? type : [type, tensorType("int64", type.dims)];
  };

/**
 * With ceil_mode a window may hang over the end, but must start inside the input or its left padding. The last window that would not is
 * left out.
 */
function ceilCount(
  size: Dim,
  window: { kernel: number; stride: number; padding: number; dilation: number },
): Dim {
  const { kernel, stride, padding, dilation } = window;
  const span = add(size, padding - dilation * (kernel - 1) - 1);
  const count = add(ceilDivide(span, stride), 1);
  const within = add(sym("floordiv", add(size, padding / 2 - 1), stride), 1);
  return least(count, within);
}

const adaptivePool =
  (rank: number, outputs: 1 | 2 = 1): ShapeFn =>
  (args) => {
    const { dtype, dims } = args.tensor("self");
    const given = args.sizes("output_size");
    const size = given.length === 1 ? new Array<Dim>(rank).fill(given[0]!) : given;
    const type = tensorType(dtype, [...dims.slice(0, dims.length - rank), ...size]);
    return outputs === 1 ? type : [type, tensorType("int64", type.dims)];
  };

const resize =
  (rank: number): ShapeFn =>
  (args) => {
    const { dtype, dims } = args.tensor(args.has("input") ? "input" : "self");
    const space = dims.slice(dims.length - rank);
    const out = args.has("output_size") ? args.sizes("output_size") : scaled(space, args);
    return tensorType(dtype, [...dims.slice(0, dims.length - rank), ...out]);
  };

function scaled(space: readonly Dim[], args: ShapeArgs): Dim[] {
  const factors = args.items("scale_factors");
  return space.map((dim, i) => {
    const factor = factors[i];
    if (factor?.kind !== "float" && factor?.kind !== "int")
      return unsupportedOp("its scale factors are not known");
    const times = numeric(factor.value);
    return scaledSize(dim, times);
  });
}

/** floor(size · factor) in double precision; whole factors and their reciprocals are exact for every size. */
function scaledSize(dim: Dim, factor: number): Dim {
  if (typeof dim === "number") return Math.floor(dim * factor);
  if (Number.isInteger(factor)) return mul(dim, factor);
  const parts = 1 / factor;
  return Number.isInteger(Math.log2(parts))
    ? sym("floordiv", dim, parts)
    : sym("floor", mul(factor, sym("tofloat", dim)));
}

const gridSampler: ShapeFn = (args) => {
  const { dtype, dims } = args.tensor("input");
  return tensorType(dtype, [...dims.slice(0, 2), ...args.tensor("grid").dims.slice(1, -1)]);
};

const cosineSimilarity: ShapeFn = (args) => {
  const dims = broadcast(args.tensor("x1").dims, args.tensor("x2").dims);
  const axis = args.int("dim");
  return tensorType(
    floatOf(args.promoted("x1", "x2")),
    dims.filter((_, at) => at !== (axis < 0 ? axis + dims.length : axis)),
  );
};

const glu: ShapeFn = (args) => {
  const { dtype, dims } = args.tensor("self");
  const axis = args.int("dim");
  const at = axis < 0 ? axis + dims.length : axis;
  return tensorType(
    dtype,
    dims.map((dim, i) => (i === at ? quotient(dim, 2) : dim)),
  );
};

const channelShuffle: ShapeFn = (args) => {
  const self = args.tensor("self");
  quotient(self.dims[1] ?? 1, args.int("groups"));
  return self;
};

/** Sums of rows for each bag; the other results serve the backward pass. */
const embeddingBag: ShapeFn = (args) => {
  const weight = args.tensor("weight");
  const indices = args.tensor("indices").dims[0] ?? 1;
  const starts = args.tensor("offsets").dims[0] ?? unsupportedOp("its bags have no beginnings");
  const bags = args.bool("include_last_offset") ? sub(starts, 1) : starts;
  const [width] = weight.dims.slice(1);
  return [
    tensorType(weight.dtype, [bags, width ?? 1]),
    tensorType("int64", [indices]),
    tensorType("int64", [bags]),
    tensorType("int64", [bags]),
  ];
};

const affineGrid: ShapeFn = (args) => {
  const size = args.sizes("size");
  requireSame(args.tensor("theta").dims[0]!, size[0]!);
  return tensorType(args.tensor("theta").dtype, [size[0]!, ...size.slice(2), size.length - 2]);
};

const unpooled =
  (rank: number): ShapeFn =>
  (args) => {
    const { dtype, dims } = args.tensor("self");
    return tensorType(dtype, [...dims.slice(0, dims.length - rank), ...args.sizes("output_size")]);
  };

export const NETWORKS: ShapeTable = {
  channel_shuffle: channelShuffle,
  native_channel_shuffle: channelShuffle,
  embedding_bag: embeddingBag,
  _embedding_bag: embeddingBag,
  _embedding_bag_forward_only: embeddingBag,
  affine_grid_generator: affineGrid,
  max_unpool2d: unpooled(2),
  max_unpool3d: unpooled(3),
  max_pool2d_with_indices_backward: (args) => args.tensor("self"),
  conv1d: conv,
  conv2d: conv,
  conv3d: conv,
  convolution: conv,
  _convolution: conv,
  _convolution_mode: conv,
  conv_transpose1d: convTransposed,
  conv_transpose2d: convTransposed,
  conv_transpose3d: convTransposed,
  fractional_max_pool2d: adaptivePool(2, 2),
  fractional_max_pool3d: adaptivePool(3, 2),
  max_pool1d: pool(1),
  max_pool2d: pool(2),
  max_pool3d: pool(3),
  max_pool1d_with_indices: pool(1, 2),
  max_pool2d_with_indices: pool(2, 2),
  max_pool3d_with_indices: pool(3, 2),
  avg_pool1d: pool(1),
  avg_pool2d: pool(2),
  avg_pool3d: pool(3),
  adaptive_avg_pool1d: adaptivePool(1),
  adaptive_avg_pool2d: adaptivePool(2),
  adaptive_avg_pool3d: adaptivePool(3),
  _adaptive_avg_pool2d: adaptivePool(2),
  _adaptive_avg_pool3d: adaptivePool(3),
  adaptive_max_pool1d: adaptivePool(1, 2),
  adaptive_max_pool2d: adaptivePool(2, 2),
  adaptive_max_pool3d: adaptivePool(3, 2),
  upsample_nearest1d: resize(1),
  upsample_nearest2d: resize(2),
  upsample_nearest3d: resize(3),
  _upsample_nearest_exact1d: resize(1),
  _upsample_nearest_exact2d: resize(2),
  _upsample_nearest_exact3d: resize(3),
  upsample_linear1d: resize(1),
  upsample_bilinear2d: resize(2),
  _upsample_bilinear2d_aa: resize(2),
  upsample_bicubic2d: resize(2),
  _upsample_bicubic2d_aa: resize(2),
  upsample_trilinear3d: resize(3),
  grid_sampler: gridSampler,
  grid_sampler_2d: gridSampler,
  grid_sampler_3d: gridSampler,
  _weight_norm: (args) => args.tensor("v"),
  cosine_similarity: cosineSimilarity,
  glu,
};

import { least } from "../../graph/bounds.ts";
import type { TensorType } from "../../graph/ir.ts";
import { add, type Dim, mul, product, sub, sym } from "../../graph/sym.ts";
import { unsupportedOp } from "../unsupported-op.ts";
import { broadcast, ceilDivide, numeric, quotient, requireSame, windowCount } from "./dims.ts";
import { promotedList } from "./joining.ts";
import { floatOf, type ShapeArgs, type ShapeFn, type ShapeTable, tensorType } from "./shape-args.ts";

const linear: ShapeFn = (args) => {
  const { dtype, dims } = args.tensor("input");
  const weight = args.tensor("weight").dims;
  requireSame(dims.at(-1) ?? 1, weight.at(-1) ?? 1);
  return tensorType(dtype, [...dims.slice(0, -1), ...weight.slice(0, -1)]);
};

export function multiplied(a: readonly Dim[], b: readonly Dim[]): Dim[] {
  if (a.length === 0 || b.length === 0) return unsupportedOp("a 0-d tensor cannot be multiplied");
  requireSame(a.at(-1)!, b.length === 1 ? b[0]! : b.at(-2)!);
  const batch = broadcast(a.slice(0, -2), b.slice(0, -2));
  return [...batch, ...(a.length > 1 ? [a.at(-2)!] : []), ...(b.length > 1 ? [b.at(-1)!] : [])];
}

const matmul =
  (first: string, second: string): ShapeFn =>
  (args) => {
    const a = args.tensor(first);
    return tensorType(args.promoted(first, second), multiplied(a.dims, args.tensor(second).dims));
  };

const addedProduct =
  (first: string, second: string): ShapeFn =>
  (args) => {
    const product = multiplied(args.tensor(first).dims, args.tensor(second).dims);
    return tensorType(args.promoted("self", first, second), broadcast(product, args.tensor("self").dims));
  };

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
    const size = args.each("output_size", rank);
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
  return Number.isInteger(Math.log2(parts)) ? sym("floordiv", dim, parts) : numeric(dim);
}

const gridSampler: ShapeFn = (args) => {
  const { dtype, dims } = args.tensor("input");
  return tensorType(dtype, [...dims.slice(0, 2), ...args.tensor("grid").dims.slice(1, -1)]);
};

/** The labels of one operand of an einsum, with one label of its own for each dimension that `...` stands for. */
function labelsOf(term: string, rank: number): string[] {
  const [head = "", tail] = term.split("...");
  const letters = [...head, ...(tail ?? "")];
  const dots = tail === undefined ? 0 : rank - letters.length;
  if (dots < 0 || letters.length + dots !== rank || !letters.every((label) => /^[A-Za-z]$/.test(label)))
    return unsupportedOp(`the operand '${term}' of an equation`);
  return [...head, ...Array.from({ length: dots }, (_, i) => `.${dots - i}`), ...(tail ?? "")];
}

/** Without `->` the labels that occur once, sorted, behind what `...` stands for. */
function impliedLabels(all: readonly string[]): string[] {
  const once = [...new Set(all)].filter((label) => all.indexOf(label) === all.lastIndexOf(label));
  return [...dotsOf(all), ...once.filter((label) => !label.startsWith(".")).sort()];
}

function dotsOf(all: readonly string[]): string[] {
  const dots = new Set(all.filter((label) => label.startsWith(".")));
  return [...dots].sort((a, b) => Number(b.slice(1)) - Number(a.slice(1)));
}

const einsum: ShapeFn = (args) => {
  const tensors = args.tensors("tensors");
  const [left = "", right] = args.text("equation").replaceAll(" ", "").split("->");
  const terms = left.split(",");
  if (terms.length !== tensors.length) return unsupportedOp("its equation has another number of operands");
  const labels = terms.map((term, at) => labelsOf(term, tensors[at]!.dims.length));
  const sizes = new Map<string, Dim>();
  for (const [at, own] of labels.entries()) {
    for (const [axis, label] of own.entries()) {
      const [known, size] = [sizes.get(label) ?? 1, tensors[at]!.dims[axis]!];
      if (known !== 1 && size !== 1) requireSame(known, size);
      if (known === 1) sizes.set(label, size);
    }
  }
  const all = labels.flat();
  const dots = dotsOf(all);
  const [head = "", tail] = right?.split("...") ?? [];
  const result =
    right === undefined ? impliedLabels(all) : [...head, ...(tail === undefined ? [] : [...dots, ...tail])];
  return tensorType(
    promotedList(tensors),
    result.map((label) => sizes.get(label) ?? unsupportedOp("an unknown label")),
  );
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

/** Normalised values, and the mean and reciprocal deviation of what was normalised together. */
const nativeLayerNorm: ShapeFn = (args) => {
  const input = layerNorm(args);
  const normalized = args.sizes("normalized_shape").length;
  const lead = input.dims.slice(0, input.dims.length - normalized);
  const statistics = tensorType(input.dtype, [...lead, ...new Array<Dim>(normalized).fill(1)]);
  return [input, statistics, statistics];
};

/** The last dimensions are what the weights are for. */
const layerNorm = (args: ShapeArgs): TensorType => {
  const input = args.tensor("input");
  const normalized = args.sizes("normalized_shape");
  const own = input.dims.slice(input.dims.length - normalized.length);
  for (const [i, size] of normalized.entries()) requireSame(own[i] ?? 1, size);
  return input;
};

/** The channels are the second dimension, and as many as each of these vectors has elements. */
const channelwise =
  (...names: readonly string[]): ShapeFn =>
  (args) => {
    const input = args.tensor("input");
    for (const name of names) {
      if (args.isGiven(name) && args.has(name))
        requireSame(input.dims[1] ?? 1, args.tensor(name).dims[0] ?? 1);
    }
    return input;
  };

const batchNorm = channelwise("running_mean", "running_var", "weight", "bias");

/** The channels fall into groups of one size. */
const groupNorm: ShapeFn = (args) => {
  const input = channelwise("weight", "bias")(args) as TensorType;
  quotient(input.dims[1] ?? 1, args.int("num_groups"));
  return input;
};

const channelShuffle: ShapeFn = (args) => {
  const self = args.tensor("self");
  quotient(self.dims[1] ?? 1, args.int("groups"));
  return self;
};

const nativeGroupNorm: ShapeFn = (args) => {
  const input = channelwise("weight", "bias")(args) as TensorType;
  requireSame(input.dims[0]!, args.size("N"));
  requireSame(input.dims[1]!, args.size("C"));
  requireSame(product(input.dims.slice(2)), args.size("HxW"));
  const statistics = tensorType(input.dtype, [args.size("N"), args.size("group")]);
  return [input, statistics, statistics];
};

/** The statistics are empty where the running ones are used. */
const nativeBatchNorm =
  (results: number): ShapeFn =>
  (args) => {
    const input = batchNorm(args) as TensorType;
    const isTraining = args.isGiven("training") && args.bool("training");
    const statistics = tensorType(input.dtype, isTraining ? [input.dims[1] ?? 1] : [0]);
    const running = tensorType(input.dtype, [input.dims[1] ?? 1]);
    return [input, statistics, statistics, running, running].slice(0, results);
  };

/** Values and their places. */
const fractionalPool =
  (spatial: number): ShapeFn =>
  (args) => {
    const { dtype, dims } = args.tensor("self");
    const pooled = [...dims.slice(0, -spatial), ...args.each("output_size", spatial)];
    return [tensorType(dtype, pooled), tensorType("int64", pooled)];
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

const outer: ShapeFn = (args) =>
  tensorType(args.promoted("self", "vec2"), [args.tensor("self").dims[0]!, args.tensor("vec2").dims[0]!]);

export const NETWORKS: ShapeTable = {
  linear,
  matmul: matmul("self", "other"),
  mm: matmul("self", "mat2"),
  bmm: matmul("self", "mat2"),
  mv: matmul("self", "vec"),
  dot: matmul("self", "tensor"),
  addmm: addedProduct("mat1", "mat2"),
  baddbmm: addedProduct("batch1", "batch2"),
  outer,
  ger: outer,
  einsum,
  layer_norm: layerNorm,
  rms_norm: layerNorm,
  batch_norm: batchNorm,
  instance_norm: batchNorm,
  group_norm: groupNorm,
  channel_shuffle: channelShuffle,
  native_channel_shuffle: channelShuffle,
  native_layer_norm: nativeLayerNorm,
  native_group_norm: nativeGroupNorm,
  native_batch_norm: nativeBatchNorm(3),
  "_native_batch_norm_legit.no_stats": nativeBatchNorm(3),
  _native_batch_norm_legit_functional: nativeBatchNorm(5),
  _native_batch_norm_legit_no_training: nativeBatchNorm(3),
  _batch_norm_with_update_functional: (args) => {
    const [result, , , mean, variance] = nativeBatchNorm(5)(args) as readonly TensorType[];
    return [result!, mean!, variance!, tensorType("uint8", [0]), mean!, variance!];
  },
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
  fractional_max_pool2d: fractionalPool(2),
  fractional_max_pool3d: fractionalPool(3),
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

import type { TensorType } from "../../graph/ir.ts";
import { type Dim, product } from "../../graph/sym.ts";
import { quotient, requireSame } from "./dims.ts";
import { type ShapeArgs, type ShapeFn, type ShapeTable, tensorType } from "./shape-args.ts";

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

/** Normalization. */
export const NORMALIZATION: ShapeTable = {
  layer_norm: layerNorm,
  rms_norm: layerNorm,
  batch_norm: batchNorm,
  instance_norm: batchNorm,
  group_norm: groupNorm,
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
};

import { product, sym } from "../../graph/sym.ts";
import { float } from "../../onnx/model.ts";
import type { Emitter } from "../core/emitter.ts";
import type { Lowering, LoweringTable } from "../core/lowering.ts";
import type { OpNode } from "../core/op-node.ts";
import type { Tensor, Val } from "../core/tensor.ts";
import { unsupported } from "../core/unsupported.ts";

/**
 * aten::batch_norm(Tensor input, Tensor? weight, Tensor? bias, Tensor? running_mean, Tensor? running_var, bool training, float
 * momentum, float eps, bool cudnn_enabled) -> Tensor
 *
 * Without running statistics (track_running_stats=False) PyTorch normalises by the batch at inference too.
 */
export const batchNorm: Lowering = (node, g) => {
  if (!node.bool("training")) return byRunningStats(node, g);
  if (node.has("running_mean")) rejectTraining(node);
  return byBatch(node, g).result;
};

/** Running statistics that are the file's own belong to a module that was exported by mistake in training mode. */
function rejectTraining(node: OpNode): void {
  if (node.isWeight("running_mean"))
    unsupported("batch norm runs in training mode; call model.eval() before exporting");
}

function byRunningStats(node: OpNode, g: Emitter): Val {
  const input = node.tensor("input");
  const channels = input.dims[1]!;
  const filled = (name: string, value: number): Val => {
    const given = node.optionalTensor(name);
    if (given !== undefined) return g.cast(given, input.dtype);
    return g.expand(g.constant(input.dtype, [value], [1]), [channels]);
  };
  const stats = ["running_mean", "running_var"].map((name) => g.cast(node.tensor(name), input.dtype));
  const inputs = [input, filled("weight", 1), filled("bias", 0), ...stats];
  return g.op("BatchNormalization", inputs, { epsilon: float(node.float("eps")) });
}

function byBatch(node: OpNode, g: Emitter): { result: Val; mean: Val; inverse: Val; variance: Val } {
  const input = node.tensor("input");
  const axes = input.dims.map((_, axis) => axis).filter((axis) => axis !== 1);
  const { normal, mean, inverse, variance } = standardized(g, input, { axes, eps: node.float("eps") });
  const result = affine(g, normal, {
    weight: alike(node, g, "weight"),
    bias: alike(node, g, "bias"),
    rank: input.dims.length,
  });
  return {
    result,
    mean: g.squeeze(mean, axes),
    inverse: g.squeeze(inverse, axes),
    variance: g.squeeze(variance, axes),
  };
}

/**
 * aten::native_batch_norm(Tensor input, Tensor? weight, Tensor? bias, Tensor? running_mean, Tensor? running_var, bool training, float
 * momentum, float eps) -> (Tensor, Tensor, Tensor)
 *
 * At inference the two saved statistics are empty.
 */
export const nativeBatchNorm: Lowering = (node, g) => {
  if (!node.bool("training")) return inferenceBatchNorm(node, g);
  const { result, mean, inverse } = byBatch(node, g);
  return [result, mean, inverse];
};

/** aten::_native_batch_norm_legit_no_training(Tensor input, Tensor? weight, Tensor? bias, Tensor running_mean, Tensor running_var, float momentum, float eps) -> (Tensor, Tensor, Tensor) */
export const inferenceBatchNorm: Lowering = (node, g) => {
  const empty = g.constant("float32", [], [0]);
  return [byRunningStats(node, g), empty, empty];
};

/** aten::_native_batch_norm_legit.no_stats(Tensor input, Tensor? weight, Tensor? bias, bool training, float momentum, float eps) -> (Tensor, Tensor, Tensor) */
export const statelessBatchNorm: Lowering = (node, g) => {
  const { result, mean, inverse } = byBatch(node, g);
  return [result, mean, inverse];
};

/**
 * aten::_native_batch_norm_legit_functional(Tensor input, Tensor? weight, Tensor? bias, Tensor running_mean, Tensor running_var, bool
 * training, float momentum, float eps) -> (Tensor, Tensor, Tensor, Tensor running_mean_out, Tensor running_var_out)
 *
 * Statistics that are the file's own belong to a module that was left in training mode; those that the program is given or calculates
 * are meant.
 */
export const functionalBatchNorm: Lowering = (node, g) => {
  const running = ["running_mean", "running_var"].map((name) => node.tensor(name));
  if (!node.bool("training")) return [...(inferenceBatchNorm(node, g) as Val[]), ...running];
  const { result, mean, inverse, updated } = trained(node, g);
  return [result, mean, inverse, ...updated];
};

/**
 * aten::_batch_norm_with_update_functional(Tensor input, Tensor? weight, Tensor? bias, Tensor running_mean, Tensor running_var, float
 * momentum, float eps) -> (Tensor, Tensor, Tensor, Tensor, Tensor running_mean_out, Tensor running_var_out)
 *
 * The same; what a kernel would reserve for the way back is empty.
 */
export const updatingBatchNorm: Lowering = (node, g) => {
  const { result, mean, inverse, updated } = trained(node, g);
  return [result, mean, inverse, g.constant("uint8", [], [0]), ...updated];
};

interface Trained {
  readonly result: Val;
  readonly mean: Val;
  readonly inverse: Val;
  /** The running mean and variance after this batch. */
  readonly updated: readonly Val[];
}

function trained(node: OpNode, g: Emitter): Trained {
  const running = ["running_mean", "running_var"].map((name) => node.tensor(name));
  rejectTraining(node);
  const input = node.tensor("input");
  const { result, mean, inverse, variance } = byBatch(node, g);
  const count = g.number(product(input.dims.filter((_, axis) => axis !== 1)), input.dtype);
  const unbiased = g.op("Div", [
    g.op("Mul", [variance, count]),
    g.op("Sub", [count, g.scalar(input.dtype, 1)]),
  ]);
  const momentum = node.float("momentum");
  const updated = [mean, unbiased].map((value, i) => {
    const before = running[i]!;
    const kept = g.op("Mul", [before, g.scalar(before.dtype, 1 - momentum)]);
    return g.op("Add", [kept, g.op("Mul", [g.cast(value, before.dtype), g.scalar(before.dtype, momentum)])]);
  });
  return { result, mean, inverse, updated };
}

/** aten::layer_norm(Tensor input, SymInt[] normalized_shape, Tensor? weight=None, Tensor? bias=None, float eps=1e-05, bool cudnn_enable=True) -> Tensor */
export const layerNorm: Lowering = (node, g) => {
  const input = node.tensor("input");
  const shape = node.sizes("normalized_shape");
  const weight = alike(node, g, "weight") ?? g.expand(g.scalar(input.dtype, 1), shape);
  const attributes = { axis: -shape.length, epsilon: float(node.float("eps")) };
  return g.op("LayerNormalization", [input, weight, alike(node, g, "bias")], attributes);
};

/** aten::native_layer_norm(Tensor input, SymInt[] normalized_shape, Tensor? weight, Tensor? bias, float eps) -> (Tensor, Tensor, Tensor) */
export const nativeLayerNorm: Lowering = (node, g) => {
  const input = node.tensor("input");
  const rank = input.dims.length;
  const axes = node.sizes("normalized_shape").map((_, i, shape) => rank + i - shape.length);
  const { mean, inverse } = standardized(g, input, { axes, eps: node.float("eps") });
  return [layerNorm(node, g) as Val, mean, inverse];
};

/** aten::group_norm(Tensor input, int num_groups, Tensor? weight=None, Tensor? bias=None, float eps=1e-05, bool cudnn_enabled=True) -> Tensor */
export const groupNorm: Lowering = (node, g) => byGroup(node, g, node.int("num_groups")).result;

/** aten::native_group_norm(Tensor input, Tensor? weight, Tensor? bias, SymInt N, SymInt C, SymInt HxW, int group, float eps) -> (Tensor, Tensor, Tensor) */
export const nativeGroupNorm: Lowering = (node, g) => {
  const { result, mean, inverse } = byGroup(node, g, node.int("group"));
  return [result, g.squeeze(mean, [-1]), g.squeeze(inverse, [-1])];
};

function byGroup(node: OpNode, g: Emitter, groups: number): { result: Val; mean: Val; inverse: Val } {
  const input = node.tensor("input");
  const [batch, ...rest] = input.dims;
  const grouped = g.reshape(input, [batch!, groups, sym("cleandiv", product(rest), groups)]);
  const { normal, mean, inverse } = standardized(g, grouped, { axes: [2], eps: node.float("eps") });
  const result = affine(g, g.reshape(normal, input.dims), {
    weight: alike(node, g, "weight"),
    bias: alike(node, g, "bias"),
    rank: input.dims.length,
  });
  return { result, mean, inverse };
}

/** aten::instance_norm(Tensor input, Tensor? weight, Tensor? bias, Tensor? running_mean, Tensor? running_var, bool use_input_stats, float momentum, float eps, bool cudnn_enabled) -> Tensor */
export const instanceNorm: Lowering = (node, g) => {
  if (!node.bool("use_input_stats")) return byRunningStats(node, g);
  const input = node.tensor("input");
  const axes = input.dims.map((_, axis) => axis).slice(2);
  const { normal } = standardized(g, input, { axes, eps: node.float("eps") });
  return affine(g, normal, {
    weight: alike(node, g, "weight"),
    bias: alike(node, g, "bias"),
    rank: input.dims.length,
  });
};

/** aten::rms_norm(Tensor input, SymInt[] normalized_shape, Tensor? weight=None, float? eps=None) -> Tensor */
export const rmsNorm: Lowering = (node, g) => {
  const input = node.tensor("input");
  const shape = node.sizes("normalized_shape");
  const axes = shape.map((_, i) => i - shape.length);
  const eps = node.optionalFloat("eps") ?? (input.declared === "float64" ? 2 ** -52 : 2 ** -23);
  const power = g.op("ReduceMean", [g.op("Mul", [input, input]), g.ints(axes)], { keepdims: 1 });
  const normal = g.op("Div", [input, g.op("Sqrt", [g.op("Add", [power, g.scalar(input.dtype, eps)])])]);
  const weight = node.optionalTensor("weight");
  const { dtype } = node.out();
  return weight === undefined ? normal : g.op("Mul", [g.cast(normal, dtype), g.cast(weight, dtype)]);
};

/** A weight, in the type of what it is applied to: floats may be of several, which PyTorch mixes. */
function alike(node: OpNode, g: Emitter, name: string): Tensor | undefined {
  const weight = node.optionalTensor(name);
  return weight && { ...weight, ...g.cast(weight, node.tensor("input").dtype) };
}

interface Standardized {
  readonly normal: Val;
  readonly mean: Val;
  /** 1 / sqrt(variance + eps). */
  readonly inverse: Val;
  readonly variance: Val;
}

/** Zero mean and unit (biased) variance over `axes` (from the front: ReduceMean fails on the others where there is nothing); the statistics keep those axes with size 1. */
function standardized(
  g: Emitter,
  x: Val,
  { axes, eps }: { axes: readonly number[]; eps: number },
): Standardized {
  const mean = g.op("ReduceMean", [x, g.ints(axes)], { keepdims: 1 });
  const centred = g.op("Sub", [x, mean]);
  const variance = g.op("ReduceMean", [g.op("Mul", [centred, centred]), g.ints(axes)], { keepdims: 1 });
  const deviation = g.op("Sqrt", [g.op("Add", [variance, g.scalar(x.dtype, eps)])]);
  return {
    normal: g.op("Div", [centred, deviation]),
    mean,
    inverse: g.op("Reciprocal", [deviation]),
    variance,
  };
}

interface Affine {
  readonly weight: Tensor | undefined;
  readonly bias: Tensor | undefined;
  readonly rank: number;
}

/** Scale and shift per channel (dimension 1). */
function affine(g: Emitter, x: Val, { weight, bias, rank }: Affine): Val {
  const perChannel = (t: Tensor): Val =>
    g.unsqueeze(
      t,
      Array.from({ length: rank - 2 }, (_, i) => i + 1),
    );
  const scaled = weight === undefined ? x : g.op("Mul", [x, perChannel(weight)]);
  return bias === undefined ? scaled : g.op("Add", [scaled, perChannel(bias)]);
}

export const NORMALIZATION: LoweringTable = {
  "aten.batch_norm.default": batchNorm,
  "aten.native_batch_norm.default": nativeBatchNorm,
  "aten._native_batch_norm_legit.no_stats": statelessBatchNorm,
  "aten._native_batch_norm_legit_functional.default": functionalBatchNorm,
  "aten._batch_norm_with_update_functional.default": updatingBatchNorm,
  "aten._native_batch_norm_legit_no_training.default": inferenceBatchNorm,
  "aten.layer_norm.default": layerNorm,
  "aten.native_layer_norm.default": nativeLayerNorm,
  "aten.group_norm.default": groupNorm,
  "aten.native_group_norm.default": nativeGroupNorm,
  "aten.instance_norm.default": instanceNorm,
  "aten.rms_norm.default": rmsNorm,
};

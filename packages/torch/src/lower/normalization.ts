import { product, sym } from "../graph/sym.ts";
import { float } from "../onnx/model.ts";
import type { Emitter } from "./emitter.ts";
import type { Lowering, LoweringTable } from "./lowering.ts";
import { refuse } from "./refusal.ts";
import type { Tensor, Val } from "./tensor.ts";

/** aten::batch_norm(Tensor input, Tensor? weight, Tensor? bias, Tensor? running_mean, Tensor? running_var, bool training, float momentum, float eps, bool cudnn_enabled) -> Tensor */
export const batchNorm: Lowering = (node, g) => {
  if (node.bool("training")) refuse("batch norm runs in training mode; export the model in eval() mode");
  const input = node.tensor("input");
  const channels = input.dims[1]!;
  const filled = (name: string, value: number): Val =>
    node.optionalTensor(name) ?? g.expand(g.constant(input.dtype, [value], [1]), [channels]);
  const inputs = [
    input,
    filled("weight", 1),
    filled("bias", 0),
    node.tensor("running_mean"),
    node.tensor("running_var"),
  ];
  return g.op("BatchNormalization", inputs, { epsilon: float(node.float("eps")) });
};

/** aten::layer_norm(Tensor input, SymInt[] normalized_shape, Tensor? weight=None, Tensor? bias=None, float eps=1e-05, bool cudnn_enable=True) -> Tensor */
export const layerNorm: Lowering = (node, g) => {
  const input = node.tensor("input");
  const shape = node.sizes("normalized_shape");
  const weight = node.optionalTensor("weight") ?? g.expand(g.scalar(input.dtype, 1), shape);
  const attributes = { axis: -shape.length, epsilon: float(node.float("eps")) };
  return g.op("LayerNormalization", [input, weight, node.optionalTensor("bias")], attributes);
};

/** aten::group_norm(Tensor input, int num_groups, Tensor? weight=None, Tensor? bias=None, float eps=1e-05, bool cudnn_enabled=True) -> Tensor */
export const groupNorm: Lowering = (node, g) => {
  const input = node.tensor("input");
  const groups = node.int("num_groups");
  const [batch, ...rest] = input.dims;
  const grouped = g.reshape(input, [batch!, groups, sym("cleandiv", product(rest), groups)]);
  const normal = g.reshape(standardized(g, grouped, [-1], node.float("eps")), input.dims);
  return affine(g, normal, {
    weight: node.optionalTensor("weight"),
    bias: node.optionalTensor("bias"),
    rank: input.dims.length,
  });
};

/** aten::instance_norm(Tensor input, Tensor? weight, Tensor? bias, Tensor? running_mean, Tensor? running_var, bool use_input_stats, float momentum, float eps, bool cudnn_enabled) -> Tensor */
export const instanceNorm: Lowering = (node, g) => {
  if (!node.bool("use_input_stats")) return batchNormFromStats(node, g);
  const input = node.tensor("input");
  const axes = input.dims.map((_, axis) => axis).slice(2);
  const normal = standardized(g, input, axes, node.float("eps"));
  return affine(g, normal, {
    weight: node.optionalTensor("weight"),
    bias: node.optionalTensor("bias"),
    rank: input.dims.length,
  });
};

const batchNormFromStats: Lowering = (node, g) => {
  const input = node.tensor("input");
  const ones = g.expand(g.constant(input.dtype, [1], [1]), [input.dims[1]!]);
  const zeros = g.expand(g.constant(input.dtype, [0], [1]), [input.dims[1]!]);
  return g.op(
    "BatchNormalization",
    [
      input,
      node.optionalTensor("weight") ?? ones,
      node.optionalTensor("bias") ?? zeros,
      node.tensor("running_mean"),
      node.tensor("running_var"),
    ],
    { epsilon: float(node.float("eps")) },
  );
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
  return weight === undefined ? normal : g.op("Mul", [normal, weight]);
};

/** Zero mean and unit (biased) variance over `axes`. */
function standardized(g: Emitter, x: Val, axes: readonly number[], eps: number): Val {
  const mean = g.op("ReduceMean", [x, g.ints(axes)], { keepdims: 1 });
  const centred = g.op("Sub", [x, mean]);
  const variance = g.op("ReduceMean", [g.op("Mul", [centred, centred]), g.ints(axes)], { keepdims: 1 });
  return g.op("Div", [centred, g.op("Sqrt", [g.op("Add", [variance, g.scalar(x.dtype, eps)])])]);
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
  "aten.layer_norm.default": layerNorm,
  "aten.group_norm.default": groupNorm,
  "aten.instance_norm.default": instanceNorm,
  "aten.rms_norm.default": rmsNorm,
};

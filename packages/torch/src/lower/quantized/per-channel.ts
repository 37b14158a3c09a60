import type { Lowering, LoweringTable } from "../core/lowering.ts";
import type { OpNode } from "../core/op-node.ts";
import { normalizeAxis } from "../core/tensor.ts";
import { unsupported } from "../core/unsupported.ts";
import { decoded, encoded, type Layout, type Names, noteCodes } from "./scaled.ts";

const NAMES: Names = { scale: "scales", zero: "zero_points" };

function channels(node: OpNode): { axis: number; layout: Layout } {
  const rank = node.tensor("input").dims.length;
  const axis = normalizeAxis(node.int("axis"), rank);
  const count = node.tensor("scales").dims[0]!;
  return { axis, layout: { scaleDims: Array.from({ length: rank }, (_, i) => (i === axis ? count : 1)) } };
}

/** quantized_decomposed::quantize_per_channel(Tensor input, Tensor scales, Tensor zero_points, int axis, int quant_min, int quant_max, ScalarType dtype) -> Tensor */
export const quantizePerChannel: Lowering = (node, g) => {
  const { layout } = channels(node);
  const { dtype } = node.out();
  return encoded(node, g, { layout, names: NAMES, dtype, order: "round, then add the zero" });
};

/** quantized_decomposed::dequantize_per_channel(Tensor input, Tensor scales, Tensor? zero_points, int axis, int quant_min, int quant_max, ScalarType dtype, *, ScalarType? out_dtype=None) -> Tensor */
export const dequantizePerChannel: Lowering = (node, g) => {
  const { axis, layout } = channels(node);
  const result = decoded(node, g, { layout, names: NAMES, subtract: "as integers" });
  noteCodes(node, g, { result, names: NAMES, kept: { axis } });
  return result;
};

/** quantized_decomposed::quantize_per_token(Tensor input, Tensor scales, Tensor zero_points, int quant_min, int quant_max, ScalarType dtype) -> Tensor */
export const quantizePerToken: Lowering = (node, g) => {
  const { dtype } = node.out();
  return encoded(node, g, { layout: {}, names: NAMES, dtype, order: "add the zero, then round" });
};

/** quantized_decomposed::dequantize_per_token(Tensor input, Tensor scales, Tensor zero_points, int quant_min, int quant_max, ScalarType dtype, ScalarType output_dtype) -> Tensor */
export const dequantizePerToken: Lowering = (node, g) =>
  decoded(node, g, { layout: {}, names: NAMES, subtract: "as integers" });

/** Groups along the last dimension; where it is shorter than one, all of it. */
function groups(node: OpNode): { size: number; layout: Layout } {
  const last = node.tensor("input").dims.at(-1)!;
  const given = node.int("group_size");
  const isOne = node.tensor("scales").dims.at(-1) === 1;
  if (isOne && typeof last !== "number")
    return unsupported("its groups may be longer than the last dimension");
  const size = isOne && typeof last === "number" ? Math.min(last, given) : given;
  return { size, layout: { dims: [-1, size], scaleDims: [-1, 1] } };
}

/** quantized_decomposed::quantize_per_channel_group(Tensor input, Tensor scales, Tensor zero_points, int quant_min, int quant_max, ScalarType dtype, int group_size) -> Tensor */
export const quantizeGroups: Lowering = (node, g) => {
  const { dtype } = node.out();
  const { layout } = groups(node);
  return encoded(node, g, { layout, names: NAMES, dtype, order: "add the zero, then round" });
};

/** quantized_decomposed::dequantize_per_channel_group(Tensor input, Tensor scales, Tensor? zero_points, int quant_min, int quant_max, ScalarType dtype, int group_size, ScalarType output_dtype) -> Tensor */
export const dequantizeGroups: Lowering = (node, g) => {
  const { size, layout } = groups(node);
  const result = decoded(node, g, { layout, names: NAMES, subtract: "as integers" });
  noteCodes(node, g, { result, names: NAMES, kept: { groupSize: size } });
  return result;
};

export const PER_CHANNEL: LoweringTable = {
  "quantized_decomposed.quantize_per_channel.default": quantizePerChannel,
  "quantized_decomposed.dequantize_per_channel.default": dequantizePerChannel,
  "quantized_decomposed.quantize_per_token.default": quantizePerToken,
  "quantized_decomposed.dequantize_per_token.default": dequantizePerToken,
  "quantized_decomposed.quantize_per_channel_group.default": quantizeGroups,
  "quantized_decomposed.dequantize_per_channel_group.default": dequantizeGroups,
};

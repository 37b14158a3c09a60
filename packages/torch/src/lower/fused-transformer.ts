import { type Dim, sym } from "../graph/sym.ts";
import { float } from "../onnx/model.ts";
import type { Emitter } from "./emitter.ts";
import type { Lowering, LoweringTable } from "./lowering.ts";
import type { OpNode } from "./op-node.ts";
import { refuse } from "./refusal.ts";
import type { Tensor, Val } from "./tensor.ts";

/**
 * aten::_native_multi_head_attention(Tensor query, Tensor key, Tensor value, int embed_dim, int num_head, Tensor qkv_weight, Tensor
 * qkv_bias, Tensor proj_weight, Tensor proj_bias, Tensor? mask=None, bool need_weights=True, bool average_attn_weights=True, int?
 * mask_type=None) -> (Tensor, Tensor)
 *
 * What nn.MultiheadAttention calls in eval mode. Without need_weights the second result does not exist.
 */
export const nativeMultiHeadAttention: Lowering = (node, g) => {
  const { result, weights } = attend(node, g, {
    query: node.tensor("query"),
    key: node.tensor("key"),
    value: node.tensor("value"),
    heads: node.int("num_head"),
  });
  if (!node.bool("need_weights")) return [result, undefined];
  const averaged = node.bool("average_attn_weights");
  return [result, averaged ? g.op("ReduceMean", [weights, g.ints([1])], { keepdims: 0 }) : weights];
};

/**
 * aten::_transformer_encoder_layer_fwd(Tensor src, int embed_dim, int num_heads, Tensor qkv_weight, Tensor qkv_bias, Tensor proj_weight,
 * Tensor proj_bias, bool use_gelu, bool norm_first, float eps, Tensor norm_weight_1, Tensor norm_bias_1, Tensor norm_weight_2, Tensor
 * norm_bias_2, Tensor ffn_weight_1, Tensor ffn_bias_1, Tensor ffn_weight_2, Tensor ffn_bias_2, Tensor? mask=None, int? mask_type=None) ->
 * Tensor
 *
 * What nn.TransformerEncoderLayer calls in eval mode.
 */
export const transformerEncoderLayer: Lowering = (node, g) => {
  const source = node.tensor("src");
  const isNormFirst = node.bool("norm_first");
  const attended = (x: Val): Val => {
    const operand = g.typed(x, source.dims);
    const heads = node.int("num_heads");
    return attend(node, g, { query: operand, key: operand, value: operand, heads }).result;
  };
  const block = (x: Val, index: 1 | 2, inner: (x: Val) => Val): Val => {
    if (isNormFirst) return g.op("Add", [inner(normalized(node, g, { x, index })), x]);
    return normalized(node, g, { x: g.op("Add", [inner(x), x]), index });
  };
  return block(block(source, 1, attended), 2, (x) => feedForward(node, g, x));
};

function normalized(node: OpNode, g: Emitter, { x, index }: { x: Val; index: 1 | 2 }): Val {
  const inputs = [x, node.tensor(`norm_weight_${index}`), node.tensor(`norm_bias_${index}`)];
  return g.op("LayerNormalization", inputs, { axis: -1, epsilon: float(node.float("eps")) });
}

function feedForward(node: OpNode, g: Emitter, x: Val): Val {
  const hidden = project(g, x, [node.tensor("ffn_weight_1"), node.tensor("ffn_bias_1")]);
  const active = node.bool("use_gelu") ? g.op("Gelu", [hidden]) : g.op("Relu", [hidden]);
  return project(g, active, [node.tensor("ffn_weight_2"), node.tensor("ffn_bias_2")]);
}

/** x · weightᵀ + bias over the last dimension. */
function project(g: Emitter, x: Val, [weight, bias]: readonly [Val, Val]): Val {
  return g.op("Add", [g.op("MatMul", [x, g.transpose(weight, [1, 0])]), bias]);
}

interface Attention {
  readonly query: Tensor;
  readonly key: Tensor;
  readonly value: Tensor;
  readonly heads: number;
}

/** The projected result, [batch, length, width], and the weights, [batch, heads, length, length]. */
function attend(
  node: OpNode,
  g: Emitter,
  { query, key, value, heads }: Attention,
): { result: Val; weights: Val } {
  const width = node.int("embed_dim");
  const third = (val: Val, index: number): Val =>
    g.op("Slice", [val, g.ints([index * width]), g.ints([(index + 1) * width]), g.ints([0])]);
  const [qkvWeight, qkvBias] = [node.tensor("qkv_weight"), node.tensor("qkv_bias")];
  const [q, k, v] = [query, key, value].map((operand, index) => {
    const projected = project(g, operand, [third(qkvWeight, index), third(qkvBias, index)]);
    return byHead(g, projected, [operand.dims[0]!, operand.dims[1]!, heads, sym("floordiv", width, heads)]);
  });
  const scaled = g.op("Mul", [q!, g.scalar(q!.dtype, Math.sqrt(heads / width))]);
  const scores = g.op("MatMul", [scaled, g.transpose(k!, [0, 1, 3, 2])]);
  const weights = g.op("Softmax", [masked(node, g, scores)], { axis: -1 });
  const mixed = g.transpose(g.op("MatMul", [weights, v!]), [0, 2, 1, 3]);
  const joined = g.reshape(mixed, query.dims);
  return { result: project(g, joined, [node.tensor("proj_weight"), node.tensor("proj_bias")]), weights };
}

/** [batch, length, width] as [batch, heads, length, width of a head]. */
function byHead(g: Emitter, x: Val, dims: readonly Dim[]): Val {
  return g.transpose(g.reshape(x, dims), [0, 2, 1, 3]);
}

/** Mask types: 0 is [query, key], 1 is [batch, key], 2 is [batch, heads, query, key]. What is not zero is hidden. */
function masked(node: OpNode, g: Emitter, scores: Val): Val {
  const mask = node.optionalTensor("mask");
  if (mask === undefined) return scores;
  const type = node.optionalInt("mask_type");
  const ranks = [2, 2, 4];
  if (type === undefined || ranks[type] !== mask.dims.length)
    refuse(`attention with a mask of rank ${mask.dims.length} and type ${type}`);
  const hidden = g.cast(mask, "bool");
  const aligned = type === 1 ? g.unsqueeze(hidden, [1, 2]) : hidden;
  return g.where(aligned, g.scalar(scores.dtype, Number.NEGATIVE_INFINITY), scores);
}

export const FUSED_TRANSFORMER: LoweringTable = {
  "aten._native_multi_head_attention.default": nativeMultiHeadAttention,
  "aten._transformer_encoder_layer_fwd.default": transformerEncoderLayer,
};

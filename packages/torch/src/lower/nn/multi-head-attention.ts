import type { Dim } from "../../graph/sym.ts";
import { float } from "../../onnx/model.ts";
import type { Emitter } from "../core/emitter.ts";
import type { Lowering, LoweringTable } from "../core/lowering.ts";
import { unlessNothing } from "../core/nothing.ts";
import type { OpNode } from "../core/op-node.ts";
import type { Tensor, Val } from "../core/tensor.ts";
import { unsupported } from "../core/unsupported.ts";
import { attentionProduct } from "./attention-product.ts";

/** Self-attention over [batch, length, width] with packed projections. */
interface MultiHead {
  readonly inputs: readonly [Val, Val, Val];
  readonly heads: number;
  readonly width: number;
  readonly batch: Dim;
  readonly lengths: { readonly query: Dim; readonly key: Dim };
  /** True where a query must not look, broadcast to [batch, heads, queries, keys]. */
  readonly forbidden: Val | undefined;
}

/** x · wᵀ + b over the last axis. */
function project(g: Emitter, x: Val, { weight, bias }: { weight: Val; bias: Val }): Val {
  return g.op("Add", [g.op("MatMul", [x, g.transpose(weight, [1, 0])]), bias]);
}

/** Queries, keys and values as [batch, heads, length, width / heads]. */
function projections(
  node: OpNode,
  g: Emitter,
  { inputs, heads, width, batch, lengths }: MultiHead,
): Tensor[] {
  const thirds = { count: 3, attributes: { axis: 0, num_outputs: 3 } };
  const weights = g.ops("Split", [node.tensor("qkv_weight")], thirds);
  const biases = g.ops("Split", [node.tensor("qkv_bias")], thirds);
  return inputs.map((input, i) => {
    const flat = project(g, input, { weight: weights[i]!, bias: biases[i]! });
    const length = i === 0 ? lengths.query : lengths.key;
    const parts = g.reshape(flat, [batch, length, heads, width / heads]);
    return g.typed(g.transpose(parts, [0, 2, 1, 3]), [batch, heads, length, width / heads]);
  });
}

/** The attention's result, projected; [batch, queries, width]. */
function attend(node: OpNode, g: Emitter, how: MultiHead): { result: Val; projected: Val[] } {
  const projected = projections(node, g, how);
  const mask = how.forbidden && g.op("Not", [how.forbidden]);
  const [query, key, value] = projected as [Tensor, Tensor, Tensor];
  const [attended] = unlessNothing(g, {
    sizes: [how.batch, how.lengths.query, how.lengths.key],
    empty: [{ dtype: query.dtype, dims: query.dims }],
    emit: (inner) => [
      attentionProduct(inner, { query, key, value, mask, isCausal: false, scale: undefined }),
    ],
  });
  const mixed = withoutBlind(g, attended!, how.forbidden);
  const joined = g.reshape(g.transpose(mixed, [0, 2, 1, 3]), [how.batch, how.lengths.query, how.width]);
  const weight = { weight: node.tensor("proj_weight"), bias: node.tensor("proj_bias") };
  return { result: project(g, joined, weight), projected };
}

/** These ops give NaN to a query that may look at nothing; ONNX's Attention gives 0. */
function withoutBlind(g: Emitter, mixed: Val, forbidden: Val | undefined): Val {
  if (forbidden === undefined) return mixed;
  const isBlind = g.op("ReduceMin", [g.cast(forbidden, "int32"), g.ints([-1])], { keepdims: 1 });
  return g.where(isBlind, g.scalar(mixed.dtype, Number.NaN), mixed);
}

/** How much every query looks at every key: [batch, heads, queries, keys]. */
function attentionWeights(g: Emitter, [query, key]: readonly Val[], how: MultiHead): Val {
  const scale = g.scalar(query!.dtype, Math.sqrt(how.heads / how.width));
  const scores = g.op("MatMul", [g.op("Mul", [query!, scale]), g.transpose(key!, [0, 1, 3, 2])]);
  if (how.forbidden === undefined) return g.op("Softmax", [scores], { axis: -1 });
  const masked = g.where(how.forbidden, g.scalar(scores.dtype, Number.NEGATIVE_INFINITY), scores);
  return g.op("Softmax", [masked], { axis: -1 });
}

/** mask_type 0: [queries, keys], 1: [batch, keys], 2: [batch, heads, queries, keys]; all true where nothing may be seen. */
function forbiddenBy(node: OpNode, g: Emitter, sizes: Pick<MultiHead, "batch" | "lengths">): Val | undefined {
  const given = node.optionalTensor("mask");
  if (given === undefined) return undefined;
  // PyTorch makes booleans of other masks: whatever is not 0 may not be seen.
  const mask = g.cast(given, "bool");
  const type = node.optionalInt("mask_type");
  const { query, key } = sizes.lengths;
  if (type === 0) return mask;
  if (type === 1) return g.expand(g.unsqueeze(mask, [1, 2]), [sizes.batch, 1, query, key]);
  return type === 2 ? mask : unsupported("the kind of its mask is not known");
}

function describe(
  node: OpNode,
  g: Emitter,
  { query, key }: { query: Tensor; key: Tensor },
): Omit<MultiHead, "inputs"> {
  if (query.dtype !== "float32" && query.dtype !== "float64") unsupported(`attention in ${query.dtype}`);
  if (query.dims.length !== 3) unsupported("its input is not a batch of sequences");
  const lengths = { query: query.dims[1]!, key: key.dims[1]! };
  const batch = query.dims[0]!;
  return {
    heads: node.int(node.has("num_head") ? "num_head" : "num_heads"),
    width: node.int("embed_dim"),
    batch,
    lengths,
    forbidden: forbiddenBy(node, g, { batch, lengths }),
  };
}

/**
 * aten::_native_multi_head_attention(Tensor query, Tensor key, Tensor value, int embed_dim, int num_head, Tensor qkv_weight, Tensor
 * qkv_bias, Tensor proj_weight, Tensor proj_bias, Tensor? mask=None, bool need_weights=True, bool average_attn_weights=True, int?
 * mask_type=None) -> (Tensor, Tensor)
 */
export const multiHeadAttention: Lowering = (node, g) => {
  const [query, key, value] = [node.tensor("query"), node.tensor("key"), node.tensor("value")];
  const how: MultiHead = { ...describe(node, g, { query, key }), inputs: [query, key, value] };
  const { result, projected } = attend(node, g, how);
  if (!node.isUsed(1)) return [result];
  if (!node.bool("need_weights")) unsupported("its weights, which it was told not to calculate");
  const weights = attentionWeights(g, projected, how);
  return [
    result,
    node.bool("average_attn_weights") ? g.op("ReduceMean", [weights, g.ints([1])], { keepdims: 0 }) : weights,
  ];
};

/**
 * aten::_transformer_encoder_layer_fwd(Tensor src, int embed_dim, int num_heads, Tensor qkv_weight, Tensor qkv_bias, Tensor proj_weight,
 * Tensor proj_bias, bool use_gelu, bool norm_first, float eps, Tensor norm_weight_1, Tensor norm_bias_1, Tensor norm_weight_2, Tensor
 * norm_bias_2, Tensor ffn_weight_1, Tensor ffn_bias_1, Tensor ffn_weight_2, Tensor ffn_bias_2, Tensor? mask=None, int? mask_type=None)
 * -> Tensor
 *
 * What nn.TransformerEncoderLayer calls at inference; traced programs hold it.
 */
export const encoderLayer: Lowering = (node, g) => {
  const source = node.tensor("src");
  const isFirst = node.bool("norm_first");
  const norm = (x: Val, i: 1 | 2): Val =>
    g.op("LayerNormalization", [x, node.tensor(`norm_weight_${i}`), node.tensor(`norm_bias_${i}`)], {
      axis: -1,
      epsilon: float(node.float("eps")),
    });
  const layer = (x: Val, i: 1 | 2): Val =>
    project(g, x, { weight: node.tensor(`ffn_weight_${i}`), bias: node.tensor(`ffn_bias_${i}`) });
  const input = isFirst ? norm(source, 1) : source;
  const how = {
    ...describe(node, g, { query: source, key: source }),
    inputs: [input, input, input] as const,
  };
  const attended = g.op("Add", [attend(node, g, how).result, source]);
  const middle = isFirst ? attended : norm(attended, 1);
  const hidden = layer(isFirst ? norm(middle, 2) : middle, 1);
  const active = node.bool("use_gelu")
    ? g.op("Gelu", [hidden], { approximate: "none" })
    : g.op("Relu", [hidden]);
  const result = g.op("Add", [layer(active, 2), middle]);
  return isFirst ? result : norm(result, 2);
};

export const MULTI_HEAD_ATTENTION: LoweringTable = {
  "aten._native_multi_head_attention.default": multiHeadAttention,
  "aten._transformer_encoder_layer_fwd.default": encoderLayer,
};

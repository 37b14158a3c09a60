import type { TensorType } from "../../graph/ir.ts";
import { unsupportedOp } from "../unsupported-op.ts";
import { broadcast, requireSame } from "./dims.ts";
import { type ShapeFn, type ShapeTable, tensorType } from "./shape-args.ts";

const attention: ShapeFn = (args) => {
  const { dtype, dims } = args.tensor("query");
  const [key, value] = [args.tensor("key").dims, args.tensor("value").dims];
  requireSame(key.at(-2) ?? 1, value.at(-2) ?? 1);
  // With grouped queries the heads, the last of these, may differ.
  const heads = args.isGiven("enable_gqa") && args.bool("enable_gqa") ? -3 : -2;
  const lead = broadcast(dims.slice(0, heads), key.slice(0, heads), value.slice(0, heads));
  return tensorType(dtype, [...lead, ...dims.slice(heads, -1), value.at(-1)!]);
};

/** The result, and the weights of each key; PyTorch leaves those undefined without need_weights. */
const multiHeadAttention: ShapeFn = (args) => {
  const query = args.tensor("query");
  const { dtype, dims } = query;
  const keys = args.tensor("key").dims[1] ?? unsupportedOp("its key is not a batch of sequences");
  const heads = args.bool("average_attn_weights") ? [] : [args.int("num_head")];
  const weights = args.bool("need_weights") ? [dims[0]!, ...heads, dims[1]!, keys] : [0];
  return [query, tensorType(dtype, weights)];
};

/** The result, and the logarithms of the weights' sums; what follows serves the backward pass. */
const attentionParts =
  (results: number): ShapeFn =>
  (args) => {
    const result = attention(args) as TensorType;
    const sums = tensorType(result.dtype, result.dims.slice(0, -1));
    const rest = new Array<TensorType>(results - 2).fill(tensorType("int64", []));
    return [result, sums, ...rest];
  };

const attentionWeights: ShapeFn = (args) => {
  const result = attention(args) as TensorType;
  return [result, tensorType(result.dtype, [...result.dims.slice(0, -1), args.tensor("key").dims.at(-2)!])];
};

export const ATTENTION: ShapeTable = {
  _scaled_dot_product_attention_math: attentionWeights,
  _scaled_dot_product_flash_attention_for_cpu: attentionParts(2),
  _scaled_dot_product_flash_attention: attentionParts(9),
  _scaled_dot_product_efficient_attention: attentionParts(4),
  scaled_dot_product_attention: attention,
  _native_multi_head_attention: multiHeadAttention,
  _transformer_encoder_layer_fwd: (args) => args.tensor("src"),
};

import { unsupportedOp } from "../unsupported-op.ts";
import { type ShapeFn, type ShapeTable, tensorType } from "./shape-args.ts";

const attention: ShapeFn = (args) => {
  const { dtype, dims } = args.tensor("query");
  return tensorType(dtype, [...dims.slice(0, -1), args.tensor("value").dims.at(-1)!]);
};

/** The result, and the weights of each key; PyTorch leaves those undefined without need_weights. */
const multiHeadAttention: ShapeFn = (args) => {
  const query = args.tensor("query");
  const { dtype, dims } = query;
  const keys = args.tensor("key").dims[1] ?? unsupportedOp("its key is no batch of sequences");
  const heads = args.bool("average_attn_weights") ? [] : [args.int("num_head")];
  const weights = args.bool("need_weights") ? [dims[0]!, ...heads, dims[1]!, keys] : [0];
  return [query, tensorType(dtype, weights)];
};

export const ATTENTION: ShapeTable = {
  scaled_dot_product_attention: attention,
  _native_multi_head_attention: multiHeadAttention,
  _transformer_encoder_layer_fwd: (args) => args.tensor("src"),
};

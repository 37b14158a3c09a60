import { type Dim, sameDim } from "../graph/sym.ts";
import { float } from "../onnx/model.ts";
import type { Emitter } from "./emitter.ts";
import type { Lowering, LoweringTable } from "./lowering.ts";
import { refuse } from "./refusal.ts";
import type { Tensor, Val } from "./tensor.ts";

/**
 * aten::scaled_dot_product_attention(Tensor query, Tensor key, Tensor value, Tensor? attn_mask=None, float dropout_p=0., bool
 * is_causal=False, *, float? scale=None, bool enable_gqa=False) -> Tensor
 *
 * ONNX's Attention has the same meaning on 4-d operands, fully masked rows (0, not NaN) and grouped queries included.
 */
export const attention: Lowering = (node, g) => {
  if (node.float("dropout_p") !== 0) refuse("attention runs with dropout; export the model in eval() mode");
  const { dtype, dims } = node.out();
  if (dtype !== "float32") refuse(`attention in ${dtype}`);
  const query = node.tensor("query");
  const leading = query.dims.slice(0, -2);
  const four = (tensor: Tensor): Val => g.reshape(tensor, fourDims(tensor.dims));
  const mask = node.optionalTensor("attn_mask");
  const scale = node.optionalFloat("scale");
  const result = g.op(
    "Attention",
    [
      four(query),
      four(node.tensor("key")),
      four(node.tensor("value")),
      mask && maskFor(g, mask, { query, key: node.tensor("key") }),
    ],
    { is_causal: Number(node.bool("is_causal")), ...(scale === undefined ? {} : { scale: float(scale) }) },
  );
  return leading.length === 2 ? result : g.reshape(result, dims);
};

/** Pads to [batch, heads, length, width] in front; more than four dimensions have no place. */
function fourDims(dims: readonly Dim[]): Dim[] {
  if (dims.length > 4 || dims.length < 3) return refuse(`attention over ${dims.length} dimensions`);
  return dims.length === 4 ? [...dims] : [1, ...dims];
}

interface Sizes {
  readonly query: Tensor;
  readonly key: Tensor;
}

/** A mask that is stretched along the queries or keys is stretched here: the kernel does not. */
function maskFor(g: Emitter, mask: Tensor, { query, key }: Sizes): Val {
  const wanted = [query.dims.at(-2)!, key.dims.at(-2)!];
  const given = mask.dims.slice(-2);
  const typed = mask.dtype === "bool" ? mask : g.cast(mask, "float32");
  if (mask.dims.length < 2) return g.expand(typed, wanted);
  const isFull = given.every((dim, i) => sameDim(dim, wanted[i]!));
  const full = isFull ? typed : g.expand(typed, [...mask.dims.slice(0, -2), ...wanted]);
  return mask.dims.length === 3 && query.dims.length === 4 ? g.unsqueeze(full, [0]) : full;
}

export const ATTENTION: LoweringTable = {
  "aten.scaled_dot_product_attention.default": attention,
};

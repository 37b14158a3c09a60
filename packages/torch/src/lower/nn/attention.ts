import type { DType } from "../../dtype.ts";
import { type Dim, product, sameDim, sameDims } from "../../graph/sym.ts";
import { either } from "../core/either.ts";
import type { Emitter } from "../core/emitter.ts";
import type { Lowering, LoweringTable } from "../core/lowering.ts";
import { mayBeZero, unlessNothing } from "../core/nothing.ts";
import { requirement } from "../core/requirement.ts";
import type { Tensor, Val } from "../core/tensor.ts";
import { unsupported } from "../core/unsupported.ts";
import { reduce } from "../reduction/reduce.ts";
import { broadcastDims } from "../shape/indexing.ts";
import { type AttentionOperands, attentionProduct, BLOCKED } from "./attention-product.ts";

/**
 * aten::scaled_dot_product_attention(Tensor query, Tensor key, Tensor value, Tensor? attn_mask=None, float dropout_p=0., bool
 * is_causal=False, *, float? scale=None, bool enable_gqa=False) -> Tensor
 *
 * ONNX's Attention has the same meaning on 4-d operands, fully masked rows (0, not NaN) and grouped queries included.
 */
export const attention: Lowering = (node, g) => {
  if (node.float("dropout_p") !== 0)
    unsupported("attention runs with dropout; call model.eval() before exporting");
  const { dtype, dims } = node.out();
  if (dtype !== "float32" && dtype !== "float64") unsupported(`attention in ${dtype}`);
  const isGrouped = node.has("enable_gqa") && node.bool("enable_gqa");
  const [query, key, value] = broadcastHeads(
    g,
    [node.tensor("query"), node.tensor("key"), node.tensor("value")],
    isGrouped,
  );
  const values = asManyAsKeys(g, key!, value!);
  const given = node.optionalTensor("attn_mask") ?? node.optionalTensor("attn_bias");
  const mask = given && additiveMask(g, given, dtype);
  const scale = node.optionalFloat("scale");
  // The kernel takes no scale that is not positive: then the queries are scaled before.
  const isScaled = scale !== undefined && !(scale > 0);
  const scaled = isScaled ? { ...query!, ...g.op("Mul", [query!, g.scalar(dtype, scale)]) } : query!;
  const product = {
    query: scaled,
    key: key!,
    value: values,
    mask: mask && maskFor(g, mask, { query: query!, key: key!, leading: dims.slice(0, -2) }),
    isCausal: node.bool("is_causal"),
    scale: isScaled ? 1 : scale,
  };
  const [result] = unlessNothing(g, {
    sizes: [...query!.dims.slice(0, -1), key!.dims.at(-2)!, value!.dims.at(-1)!],
    empty: [{ dtype, dims: [...query!.dims.slice(0, -1), value!.dims.at(-1)!] }],
    emit: (inner) => ofSomeWidth(inner, product),
  });
  const shaped = dims.length === 4 ? result! : g.reshape(result!, dims);
  return given === undefined ? shaped : withoutBlockedRows(g, shaped, given);
};

/** The values, in a run that fails where there are more or fewer keys: there PyTorch's kernels read memory beside them. */
function asManyAsKeys(g: Emitter, key: Tensor, value: Tensor): Tensor {
  const [keys, values] = [key.dims.at(-2)!, value.dims.at(-2)!];
  if (sameDim(keys, values)) return value;
  const isSame = g.op("Equal", [g.number(keys, "int64"), g.number(values, "int64")]);
  const guard = requirement(g, "sizes that go together", g.op("Not", [isSame]));
  return { ...value, ...g.held(value, guard) };
}

/** The kernel refuses queries and keys of no width, whose scores are all 0: of one zero each, they are so too. */
function ofSomeWidth(g: Emitter, product: AttentionOperands): readonly Val[] {
  const { query, key } = product;
  const width = query.dims.at(-1)!;
  const plain = (at: Emitter): Val[] => [attentionProduct(at, product)];
  const flat = (at: Emitter): Val[] => {
    const zeros = ({ dtype, dims }: Tensor): Tensor => {
      const wanted = [...dims.slice(0, -1), 1];
      return at.typed(at.expand(at.scalar(dtype, 0), wanted), wanted);
    };
    return [attentionProduct(at, { ...product, query: zeros(query), key: zeros(key) })];
  };
  if (width === 0) return flat(g);
  if (!mayBeZero(g, width)) return plain(g);
  const isNothing = g.op("Equal", [g.number(width, "int64"), g.scalar("int64", 0)]);
  return either(g, isNothing, { dtypes: [query.dtype], yes: flat, no: plain });
}

/** What -Infinity becomes: nothing beside a score that is lowered by as much as `BLOCKED`. */
const INFINITE = -3.2e38;

/** The mask as finite numbers of the scores' dtype, to add to them. */
function additiveMask(g: Emitter, mask: Tensor, dtype: DType): Tensor {
  const blocked = g.scalar(dtype, BLOCKED);
  if (mask.dtype === "bool") return g.typed(g.where(mask, g.scalar(dtype, 0), blocked), mask.dims);
  const numbers = g.cast(mask, dtype);
  const isInfinite = g.op("Equal", [numbers, g.scalar(dtype, Number.NEGATIVE_INFINITY)]);
  const added = g.where(isInfinite, g.scalar(dtype, INFINITE), g.op("Max", [numbers, blocked]));
  return g.typed(added, mask.dims);
}

/** 0 in the rows whose mask lets nothing through, where PyTorch's softmax finds only -Infinity; NaN stays. */
function withoutBlockedRows(g: Emitter, result: Val, mask: Tensor): Val {
  const axes = mask.dims.length === 0 ? [] : [mask.dims.length - 1];
  const numbers = mask.dtype === "bool" ? g.cast(mask, "int32") : g.cast(mask, result.dtype);
  const highest = reduce(g, "ReduceMax", numbers, { axes, keepdims: 1 });
  const nothing = mask.dtype === "bool" ? 0 : Number.NEGATIVE_INFINITY;
  const isBlocked = g.op("Equal", [highest, g.scalar(highest.dtype, nothing)]);
  return g.where(isBlocked, g.op("Mul", [result, g.scalar(result.dtype, 0)]), result);
}

/** Operands as [batch, heads, length, width] with one batch size and, unless heads are grouped, one number of heads. */
function broadcastHeads(g: Emitter, operands: readonly Tensor[], isGrouped: boolean): Tensor[] {
  if (operands.some(({ dims }) => dims.length > 4)) return flattenBatch(g, operands, isGrouped);
  const shapes = operands.map(({ dims }) => fourDims(dims));
  const [batch, heads] = broadcastDims(shapes.map((shape) => shape.slice(0, 2)));
  return operands.map((operand, i) => {
    const given = shapes[i]!;
    const wanted = [batch!, isGrouped ? given[1]! : heads!, ...given.slice(2)];
    const four = operand.dims.length === 4 ? operand : g.reshape(operand, given);
    return g.typed(sameDims(given, wanted) ? four : g.expand(four, wanted), wanted);
  });
}

/** Pads to four dimensions in front. */
function fourDims(dims: readonly Dim[]): Dim[] {
  return dims.length === 4 ? [...dims] : [1, ...(dims.length === 3 ? [] : [1]), ...dims];
}

/** All batch dimensions of more than four as one. */
function flattenBatch(g: Emitter, operands: readonly Tensor[], isGrouped: boolean): Tensor[] {
  if (isGrouped) unsupported("grouped heads with more than one batch dimension");
  const leading = broadcastDims(operands.map(({ dims }) => dims.slice(0, -2)));
  return operands.map((operand) => {
    const inner = operand.dims.slice(-2);
    const wanted = [product(leading.slice(0, -1)), leading.at(-1)!, ...inner];
    return g.typed(g.reshape(g.expand(operand, [...leading, ...inner]), wanted), wanted);
  });
}

interface Sizes {
  readonly query: Tensor;
  readonly key: Tensor;
  /** Batch dimensions and heads as the program has them. */
  readonly leading: readonly Dim[];
}

/** A mask that is stretched along the queries or keys is stretched here: the kernel does not. */
function maskFor(g: Emitter, mask: Tensor, { query, key, leading }: Sizes): Val {
  const wanted = [query.dims.at(-2)!, key.dims.at(-2)!];
  const given = mask.dims.slice(-2);
  if (leading.length > 2) {
    return g.reshape(g.expand(mask, [...leading, ...wanted]), [...query.dims.slice(0, 2), ...wanted]);
  }
  if (mask.dims.length < 2) return g.expand(mask, wanted);
  const isFull = given.every((dim, i) => sameDim(dim, wanted[i]!));
  const full = isFull ? mask : g.expand(mask, [...mask.dims.slice(0, -2), ...wanted]);
  return mask.dims.length === 3 && query.dims.length === 4 ? g.unsqueeze(full, [0]) : full;
}

/**
 * aten::_scaled_dot_product_attention_math(Tensor query, Tensor key, Tensor value, Tensor? attn_mask=None, float dropout_p=0., bool is_causal=False, Tensor? dropout_mask=None, *, float? scale=None, bool enable_gqa=False) -> (Tensor, Tensor)
 * aten::_scaled_dot_product_efficient_attention(Tensor query, Tensor key, Tensor value, Tensor? attn_bias, bool compute_log_sumexp, float dropout_p=0., bool is_causal=False, *, float? scale=None) -> (Tensor output, Tensor log_sumexp, Tensor philox_seed, Tensor philox_offset)
 * aten::_scaled_dot_product_flash_attention(Tensor query, Tensor key, Tensor value, float dropout_p=0., bool is_causal=False, bool return_debug_mask=False, *, float? scale=None) -> (Tensor output, Tensor logsumexp, Tensor cum_seq_q, Tensor cum_seq_k, SymInt max_q, SymInt max_k, Tensor rng_state, Tensor unused, Tensor debug_attn_mask)
 * aten::_scaled_dot_product_flash_attention_for_cpu(Tensor query, Tensor key, Tensor value, float dropout_p=0., bool is_causal=False, *, Tensor? attn_mask=None, float? scale=None) -> (Tensor output, Tensor logsumexp)
 *
 * What decomposed programs have in place of scaled_dot_product_attention.
 */
export const attentionKernel: Lowering = (node, g) => {
  for (let i = 1; i < node.outputCount; i++) {
    if (node.isUsed(i)) unsupported(`its result ${i}; only the attention itself is calculated`);
  }
  // These add their mask as numbers; only the outer op takes booleans as yes and no.
  if (node.optionalTensor("attn_mask")?.dtype === "bool") unsupported("its mask is of booleans");
  return [attention(node, g) as Val];
};

export const ATTENTION: LoweringTable = {
  "aten.scaled_dot_product_attention.default": attention,
  "aten._scaled_dot_product_attention_math.default": attentionKernel,
  "aten._scaled_dot_product_flash_attention.default": attentionKernel,
  "aten._scaled_dot_product_flash_attention_for_cpu.default": attentionKernel,
  "aten._scaled_dot_product_efficient_attention.default": attentionKernel,
};

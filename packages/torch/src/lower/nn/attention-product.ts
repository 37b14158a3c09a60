import { type Dim, sameDim, sym } from "../../graph/sym.ts";
import { float } from "../../onnx/model.ts";
import type { Emitter } from "../core/emitter.ts";
import type { Tensor, Val } from "../core/tensor.ts";

/**
 * What a masked score is lowered by. Added to any score it leaves nothing of it, and unlike the lowest float or -Infinity it does not make
 * the kernel answer 0 by itself: PyTorch averages the values of a row that is masked with the lowest float throughout, and NaN keys
 * stay NaN.
 */
export const BLOCKED = -1.7e38;

export interface AttentionOperands {
  /** [batch, heads, length, width]; fewer heads of keys and values serve several of the queries. */
  readonly query: Tensor;
  readonly key: Tensor;
  readonly value: Tensor;
  /** Added to the scores, or of booleans that let through. */
  readonly mask: Val | undefined;
  readonly isCausal: boolean;
  readonly scale: number | undefined;
}

/** Attention over operands of four dimensions: ONNX's op, or for float64, which ONNX Runtime has no kernel for, what it stands for. */
export function attentionProduct(g: Emitter, operands: AttentionOperands): Val {
  const { query, key, value, mask, isCausal, scale } = operands;
  if (query.dtype === "float64") return inDoubles(g, operands);
  const attributes = { is_causal: Number(isCausal), ...(scale === undefined ? {} : { scale: float(scale) }) };
  return g.op("Attention", [query, key, value, mask], attributes);
}

function inDoubles(g: Emitter, { query, key, value, mask, isCausal, scale }: AttentionOperands): Val {
  const heads = query.dims[1]!;
  const flipped = g.transpose(forHeads(g, key, heads), [0, 1, 3, 2]);
  const scores = g.op("MatMul", [g.op("Mul", [query, scaleOf(g, query, scale)]), flipped]);
  const masks = [mask, isCausal ? causal(g, query, key) : undefined].filter((each) => each !== undefined);
  const masked = masks.reduce((sum, each) => g.op("Add", [sum, added(g, each)]), scores);
  return g.op("MatMul", [g.op("Softmax", [masked], { axis: -1 }), forHeads(g, value, heads)]);
}

function scaleOf(g: Emitter, query: Tensor, scale: number | undefined): Val {
  if (scale !== undefined) return g.scalar("float64", scale);
  const width = query.dims.at(-1)!;
  if (typeof width === "number") return g.scalar("float64", 1 / Math.sqrt(width));
  return g.op("Reciprocal", [g.op("Sqrt", [g.cast(g.number(width, "int64"), "float64")])]);
}

function added(g: Emitter, mask: Val): Val {
  if (mask.dtype !== "bool") return g.cast(mask, "float64");
  return g.where(mask, g.scalar("float64", 0), g.scalar("float64", BLOCKED));
}

/** True up to each query's own place. */
function causal(g: Emitter, query: Tensor, key: Tensor): Val {
  const upTo = (end: Dim): Val =>
    g.op("Range", [g.scalar("int64", 0), g.number(end, "int64"), g.scalar("int64", 1)]);
  const [rows, columns] = [upTo(query.dims[2]!), upTo(key.dims[2]!)];
  return g.op("LessOrEqual", [g.unsqueeze(columns, [0]), g.unsqueeze(rows, [1])]);
}

/** Each head as often as queries share it. */
function forHeads(g: Emitter, operand: Tensor, heads: Dim): Val {
  const [batch, own, ...rest] = operand.dims as [Dim, Dim, Dim, Dim];
  if (own === 1 || sameDim(own, heads)) return operand;
  const each = g.expand(g.unsqueeze(operand, [2]), [batch, own, sym("floordiv", heads, own), ...rest]);
  return g.reshape(each, [batch, heads, ...rest]);
}

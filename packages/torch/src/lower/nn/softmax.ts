import type { Emitter } from "../core/emitter.ts";
import type { Lowering, LoweringTable } from "../core/lowering.ts";
import type { OpNode } from "../core/op-node.ts";
import { normalizeAxis, type Val } from "../core/tensor.ts";
import { roundTo } from "../pointwise/conversion.ts";

/**
 * aten::softmax.int(Tensor self, int dim, ScalarType? dtype=None) -> Tensor
 * aten::_log_softmax(Tensor self, int dim, bool half_to_float) -> Tensor
 * aten::_softmax(Tensor self, int dim, bool half_to_float) -> Tensor
 * aten::log_softmax.int(Tensor self, int dim, ScalarType? dtype=None) -> Tensor
 */
function softmaxLike(type: "Softmax" | "LogSoftmax"): Lowering {
  return (node, g) => {
    const self = node.tensor("self");
    const x = scores(node, g);
    if (self.dims.length === 0) return g.squeeze(g.op(type, [g.unsqueeze(x, [0])], { axis: 0 }), [0]);
    return g.op(type, [x], { axis: normalizeAxis(node.int("dim"), self.dims.length) });
  };
}

/**
 * The operand. Half floats are calculated with in float32, but here their rounding shows: the lowest half, added to a score, leaves nothing of
 * it, so that a row that is masked throughout is uniform.
 */
function scores(node: OpNode, g: Emitter): Val {
  const self = node.tensor("self");
  return g.cast(roundTo(g, self, self.declared), node.out().dtype);
}

/** aten::_safe_softmax(Tensor self, int dim, ScalarType? dtype=None) -> Tensor. A row of -inf alone becomes 0, not NaN. */
export const safeSoftmax: Lowering = (node, g) => {
  const self = node.tensor("self");
  const x = scores(node, g);
  const axes = self.dims.length === 0 ? [] : [normalizeAxis(node.int("dim"), self.dims.length)];
  const highest = axes.length === 0 ? x : g.op("ReduceMax", [x, g.ints(axes)], { keepdims: 1 });
  const isMasked = g.op("Equal", [highest, g.scalar(x.dtype, Number.NEGATIVE_INFINITY)]);
  return g.where(isMasked, g.scalar(x.dtype, 0), softmaxLike("Softmax")(node, g) as Val);
};

export const SOFTMAX: LoweringTable = {
  "aten.softmax.int": softmaxLike("Softmax"),
  "aten._safe_softmax.default": safeSoftmax,
  "aten._softmax.default": softmaxLike("Softmax"),
  "aten.log_softmax.int": softmaxLike("LogSoftmax"),
  "aten._log_softmax.default": softmaxLike("LogSoftmax"),
};

import type { Lowering, LoweringTable } from "../core/lowering.ts";
import type { OpNode } from "../core/op-node.ts";
import { unsupported } from "../core/unsupported.ts";

function rejectTraining(node: OpNode): void {
  if (node.has("train") && node.bool("train") && node.float("p") !== 0) {
    unsupported("dropout runs in training mode; call model.eval() before exporting");
  }
}

/**
 * aten::dropout(Tensor input, float p, bool train) -> Tensor
 * aten::alpha_dropout(Tensor input, float p, bool train) -> Tensor
 * aten::feature_alpha_dropout(Tensor input, float p, bool train) -> Tensor
 * aten::feature_dropout(Tensor input, float p, bool train) -> Tensor
 */
export const dropout: Lowering = (node) => {
  rejectTraining(node);
  return node.tensor(node.has("input") ? "input" : "self");
};

/** aten::native_dropout(Tensor input, float p, bool? train) -> (Tensor, Tensor). The mask of an unused dropout keeps all. */
export const nativeDropout: Lowering = (node, g) => {
  if (!node.has("train")) unsupported("it runs in training mode; call model.eval() before exporting");
  rejectTraining(node);
  const input = node.tensor("input");
  return [input, g.expand(g.scalar("bool", 1), input.dims)];
};

/** aten::native_dropout_backward(Tensor grad_output, Tensor mask, float scale) -> Tensor */
export const nativeDropoutBackward: Lowering = (node, g) => {
  const { dtype } = node.out();
  const kept = g.op("Mul", [g.cast(node.tensor("grad_output"), dtype), g.cast(node.tensor("mask"), dtype)]);
  return g.op("Mul", [kept, g.scalar(dtype, node.float("scale"))]);
};

export const DROPOUT: LoweringTable = {
  "aten.dropout.default": dropout,
  "aten.alpha_dropout.default": dropout,
  "aten.feature_dropout.default": dropout,
  "aten.feature_alpha_dropout.default": dropout,
  "aten.native_dropout.default": nativeDropout,
  "aten.native_dropout_backward.default": nativeDropoutBackward,
};

import type { Emitter } from "../core/emitter.ts";
import type { Lowering, LoweringTable } from "../core/lowering.ts";
import type { OpNode } from "../core/op-node.ts";
import type { Tensor, Val } from "../core/tensor.ts";
import { unsupported } from "../core/unsupported.ts";

function rejectTraining(node: OpNode): void {
  if (isTraining(node) && node.float("p") !== 0 && node.float("p") !== 1) {
    unsupported("dropout runs in training mode; call model.eval() before exporting");
  }
}

function isTraining(node: OpNode): boolean {
  return node.has("train") && node.bool("train");
}

/** What is left of the input where all of it is dropped, which no chance decides: PyTorch multiplies by 0. */
function dropped(node: OpNode, g: Emitter, input: Tensor): Val {
  if (!isTraining(node) || node.float("p") !== 1) return input;
  return g.op("Mul", [input, g.scalar(input.dtype, 0)]);
}

/**
 * aten::dropout(Tensor input, float p, bool train) -> Tensor
 * aten::alpha_dropout(Tensor input, float p, bool train) -> Tensor
 * aten::feature_alpha_dropout(Tensor input, float p, bool train) -> Tensor
 * aten::feature_dropout(Tensor input, float p, bool train) -> Tensor
 */
export const dropout: Lowering = (node, g) => {
  rejectTraining(node);
  return dropped(node, g, node.tensor(node.has("input") ? "input" : "self"));
};

/** aten::native_dropout(Tensor input, float p, bool? train) -> (Tensor, Tensor). The mask of an unused dropout keeps all. */
export const nativeDropout: Lowering = (node, g) => {
  if (!node.has("train")) unsupported("it runs in training mode; call model.eval() before exporting");
  rejectTraining(node);
  const input = node.tensor("input");
  const keeps = isTraining(node) && node.float("p") === 1 ? 0 : 1;
  return [dropped(node, g, input), g.expand(g.scalar("bool", keeps), input.dims)];
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

import type { DType } from "../../dtype.ts";
import { product } from "../../graph/sym.ts";
import type { Emitter } from "../core/emitter.ts";
import { withIndex } from "../core/index-check.ts";
import type { Lowering, LoweringTable } from "../core/lowering.ts";
import type { OpNode } from "../core/op-node.ts";
import { isFloat, type Tensor, type Val } from "../core/tensor.ts";
import { unsupported } from "../core/unsupported.ts";

/** Log probabilities, the class of each of them (or its probabilities), and which axis holds the classes. */
interface Classes {
  readonly logs: Tensor;
  readonly target: Tensor;
  readonly axis: number;
  readonly weight: Val | undefined;
  readonly smoothing: number;
  readonly reduction: number;
}

/** aten::cross_entropy_loss(Tensor self, Tensor target, Tensor? weight=None, int reduction=1, SymInt ignore_index=-100, float label_smoothing=0.) -> Tensor */
export const crossEntropy: Lowering = (node, g) => {
  const self = node.tensor("self");
  const axis = self.dims.length === 1 ? 0 : 1;
  const { dtype } = node.out();
  const classes: Classes = {
    logs: { ...self, ...g.op("LogSoftmax", [g.cast(self, dtype)], { axis }) },
    target: node.tensor("target"),
    axis,
    weight: classWeight(node, g, dtype),
    smoothing: node.float("label_smoothing"),
    reduction: node.int("reduction"),
  };
  return isFloat(classes.target.dtype) ? byProbability(g, classes) : byClass(node, g, classes);
};

function classWeight(node: OpNode, g: Emitter, dtype: DType): Val | undefined {
  const weight = node.optionalTensor("weight");
  return weight === undefined ? undefined : g.cast(weight, dtype);
}

/**
 * aten::nll_loss_nd(Tensor self, Tensor target, Tensor? weight=None, int reduction=1, SymInt ignore_index=-100) -> Tensor
 * aten::nll_loss(Tensor self, Tensor target, Tensor? weight=None, int reduction=1, SymInt ignore_index=-100) -> Tensor
 * aten::nll_loss2d(Tensor self, Tensor target, Tensor? weight=None, int reduction=1, SymInt ignore_index=-100) -> Tensor
 */
export const nllLoss: Lowering = (node, g) => {
  const self = node.tensor("self");
  const [axis, target] = [self.dims.length === 1 ? 0 : 1, node.tensor("target")];
  return byClass(node, g, {
    logs: self,
    target,
    axis,
    weight: classWeight(node, g, self.dtype),
    smoothing: 0,
    reduction: node.int("reduction"),
  });
};

/**
 * aten::nll_loss_forward(Tensor self, Tensor target, Tensor? weight, int reduction, SymInt ignore_index) -> (Tensor output, Tensor total_weight)
 * aten::nll_loss2d_forward(Tensor self, Tensor target, Tensor? weight, int reduction, SymInt ignore_index) -> (Tensor output, Tensor total_weight)
 */
export const nllLossForward: Lowering = (node, g) => [nllLoss(node, g) as Val, undefined];

/** Losses of elements that belong to one class each. The mean is weighted by the classes; ignored elements do not count. */
function byClass(
  node: OpNode,
  g: Emitter,
  { logs, target, axis, weight, smoothing, reduction }: Classes,
): Val {
  const { dtype } = logs;
  const ignored = g.op("Equal", [g.cast(target, "int64"), g.number(node.size("ignore_index"), "int64")]);
  const zero = g.scalar(dtype, 0);
  const safe = g.where(ignored, g.scalar("int64", 0), g.cast(target, "int64"));
  let known = safe;
  const picked = withIndex(node, g, {
    use: {
      index: safe,
      size: logs.dims[axis],
      source: g.cast(target, "int64"),
      isUntold: true,
    },
    emit: (classes) => {
      known = classes;
      return g.op("GatherElements", [logs, g.unsqueeze(classes, [axis])], { axis });
    },
  });
  const classWeights =
    weight === undefined ? g.scalar(dtype, 1) : g.op("Gather", [weight, known], { axis: 0 });
  const weights = g.where(ignored, zero, classWeights);
  const likelihood = g.op("Mul", [g.op("Neg", [g.squeeze(picked, [axis])]), classWeights]);
  const hard = g.where(ignored, zero, likelihood);
  const losses =
    smoothing === 0
      ? hard
      : g.op("Add", [
          g.op("Mul", [hard, g.scalar(dtype, 1 - smoothing)]),
          g.where(ignored, zero, smoothed(g, { logs, axis, weight, smoothing })),
        ]);
  if (reduction === 0) return losses;
  const sum = g.op("ReduceSum", [losses], { keepdims: 0 });
  return reduction === 2 ? sum : g.op("Div", [sum, g.op("ReduceSum", [weights], { keepdims: 0 })]);
}

/** What the other classes contribute: all log probabilities with the same small share. */
function smoothed(g: Emitter, { logs, axis, weight, smoothing }: Omit<Classes, "target" | "reduction">): Val {
  const classes = g.number(logs.dims[axis]!, logs.dtype);
  const share = g.op("Div", [g.scalar(logs.dtype, -smoothing), classes]);
  const all = weight === undefined ? logs : g.op("Mul", [logs, perClass(g, weight, logs)]);
  return g.op("Mul", [g.op("ReduceSum", [all, g.ints([axis])], { keepdims: 0 }), share]);
}

/** A value per class, placed to broadcast along the other axes. */
function perClass(g: Emitter, weight: Val, { dims }: Tensor): Val {
  const trailing = Math.max(0, dims.length - 2);
  return g.unsqueeze(
    weight,
    Array.from({ length: trailing }, (_, i) => i + 1),
  );
}

/** Losses of elements that have a probability for every class. The mean is over elements, whatever the weights. */
function byProbability(g: Emitter, { logs, target, axis, weight, smoothing, reduction }: Classes): Val {
  const { dtype } = logs;
  const { dims } = logs;
  const share = g.op("Div", [g.scalar(dtype, smoothing), g.number(dims[axis]!, dtype)]);
  const wanted = g.cast(target, dtype);
  const soft =
    smoothing === 0 ? wanted : g.op("Add", [g.op("Mul", [wanted, g.scalar(dtype, 1 - smoothing)]), share]);
  const scaled = weight === undefined ? logs : g.op("Mul", [logs, perClass(g, weight, logs)]);
  const losses = g.op("Neg", [
    g.op("ReduceSum", [g.op("Mul", [scaled, soft]), g.ints([axis])], { keepdims: 0 }),
  ]);
  if (reduction === 0) return losses;
  const sum = g.op("ReduceSum", [losses], { keepdims: 0 });
  const elements = product(dims.filter((_, i) => i !== axis));
  return reduction === 2 ? sum : g.op("Div", [sum, g.number(elements, dtype)]);
}

/** What PyTorch's kernel raises for: this op is none of ATen's, of which a table says it. */
function rejectMixed(node: OpNode): void {
  const names = ["input", "linear_weight", "linear_bias", "weight"];
  const dtypes = new Set(names.flatMap((name) => node.optionalTensor(name)?.declared ?? []));
  const target = node.tensor("target").dtype;
  if (dtypes.size > 1) unsupported(`its operands are ${[...dtypes].join(" and ")}: PyTorch takes one dtype`);
  if (![...dtypes].every(isFloat))
    unsupported(`its operands are ${[...dtypes].join(" and ")}: PyTorch takes floats`);
  if (target !== "int64" && target !== "uint8") unsupported(`its target is ${target}: PyTorch takes int64`);
}

const REDUCTIONS: readonly string[] = ["none", "mean", "sum"];

/**
 * torch_nn::_linear_cross_entropy_batch_chunked(Tensor input, Tensor linear_weight, Tensor target, Tensor? linear_bias, Tensor? weight, str
 * reduction, int ignore_index, float label_smoothing, SymInt batch_chunk_size, str acc_policy, ScalarType acc_dtype, bool
 * allow_retain_graph, bool compute_input_grad, bool compute_linear_weight_grad, bool compute_linear_bias_grad) -> (Tensor, Tensor, Tensor, Tensor)
 * torch_nn::_linear_cross_entropy_batch_chunked_no_reduction(Tensor input, Tensor linear_weight, Tensor target, Tensor? linear_bias, Tensor?
 * weight, int ignore_index, SymInt batch_chunk_size, str acc_policy, ScalarType acc_dtype) -> Tensor
 *
 * A linear layer and its cross entropy. The other results, gradients, must not be used.
 */
export const linearCrossEntropy: Lowering = (node, g) => {
  const { dtype } = node.out();
  const [input, layer] = [node.tensor("input"), node.tensor("linear_weight")];
  rejectMixed(node);
  const bias = node.optionalTensor("linear_bias");
  const product = g.op("MatMul", [g.cast(input, dtype), g.transpose(g.cast(layer, dtype), [1, 0])]);
  const scores = bias === undefined ? product : g.op("Add", [product, g.cast(bias, dtype)]);
  const dims = [input.dims[0]!, layer.dims[0]!];
  const loss = byClass(node, g, {
    logs: g.typed(g.op("LogSoftmax", [scores], { axis: 1 }), dims),
    target: node.tensor("target"),
    axis: 1,
    weight: classWeight(node, g, dtype),
    smoothing: node.has("label_smoothing") ? node.float("label_smoothing") : 0,
    reduction: node.has("reduction") ? REDUCTIONS.indexOf(node.string("reduction")) : 0,
  });
  return [loss, undefined, undefined, undefined].slice(0, node.outputCount);
};

export const CLASSIFICATION_LOSSES: LoweringTable = {
  "aten.cross_entropy_loss.default": crossEntropy,
  "aten.nll_loss.default": nllLoss,
  "aten.nll_loss2d.default": nllLoss,
  "aten.nll_loss_nd.default": nllLoss,
  "aten.nll_loss_forward.default": nllLossForward,
  "aten.nll_loss2d_forward.default": nllLossForward,
  "torch_nn._linear_cross_entropy_batch_chunked.default": linearCrossEntropy,
  "torch_nn._linear_cross_entropy_batch_chunked_no_reduction.default": linearCrossEntropy,
};

import type { TensorType } from "../../graph/ir.ts";
import type { Dim } from "../../graph/sym.ts";
import { unsupportedOp } from "../unsupported-op.ts";
import { broadcast } from "./dims.ts";
import { floatOf, isFloat, type ShapeArgs, type ShapeFn, type ShapeTable, tensorType } from "./shape-args.ts";

/** ATen's enum of reductions: 0 keeps each element's loss, 1 is their mean, 2 their sum. */
function reduced(args: ShapeArgs, dtype: TensorType["dtype"], dims: readonly Dim[]): TensorType {
  return tensorType(dtype, args.int("reduction") === 0 ? dims : []);
}

/** One loss for each element of the operands' common shape. */
const elementwise =
  (...names: readonly string[]): ShapeFn =>
  (args) =>
    reduced(args, args.promoted(...names), broadcast(...names.map((name) => args.tensor(name).dims)));

/** The same, in the dtype of the first: what PyTorch writes into. */
const inPlace =
  (first: string, second: string): ShapeFn =>
  (args) =>
    reduced(
      args,
      floatNamed(args.tensor(first).dtype, first),
      broadcast(args.tensor(first).dims, args.tensor(second).dims),
    );

function floatNamed(dtype: TensorType["dtype"], name: string): TensorType["dtype"] {
  return isFloat(dtype) ? dtype : unsupportedOp(`its argument ${name} is ${dtype}; pass floats`);
}

/** Of whole numbers PyTorch's own kernels wrap, cut off or convert, each in its way. */
function floating(args: ShapeArgs, ...names: readonly string[]): TensorType["dtype"] {
  const dtype = args.promoted(...names);
  return isFloat(dtype) ? dtype : unsupportedOp(`its arguments are ${dtype}; pass floats`);
}

/** One loss for each element, of floats. */
const ofFloats =
  (...names: readonly string[]): ShapeFn =>
  (args) =>
    reduced(args, floating(args, ...names), broadcast(...names.map((name) => args.tensor(name).dims)));

/** One loss for each vector along the last dimension. */
const vectorwise =
  (...names: readonly string[]): ShapeFn =>
  (args) =>
    reduced(
      args,
      floatOf(args.promoted(...names)),
      broadcast(...names.map((name) => args.tensor(name).dims)).slice(0, -1),
    );

/** One loss for each prediction: the classes are the second dimension, or the only one. */
function classwise(args: ShapeArgs): TensorType {
  const { dtype, dims } = args.tensor("self");
  return reduced(args, dtype, dims.length === 1 ? [] : [dims[0]!, ...dims.slice(2)]);
}

const withTotalWeight: ShapeFn = (args) => [classwise(args), tensorType(args.tensor("self").dtype, [])];

const cosineEmbedding: ShapeFn = (args) => {
  const dims = broadcast(args.tensor("input1").dims, args.tensor("input2").dims);
  const rows = dims.length > 1 ? dims.slice(0, 1) : [];
  return reduced(
    args,
    floatOf(args.promoted("input1", "input2")),
    broadcast(rows, args.tensor("target").dims),
  );
};

const pairwiseDistance: ShapeFn = (args) => {
  const dims = broadcast(args.tensor("x1").dims, args.tensor("x2").dims);
  const rest = dims.slice(0, -1);
  return tensorType(floatOf(args.promoted("x1", "x2")), args.bool("keepdim") ? [...rest, 1] : rest);
};

/** The loss and what would be its gradients, which are not calculated. */
const linearCrossEntropy: ShapeFn = (args) => {
  const { dtype } = args.tensor("input");
  const none = tensorType(dtype, [0]);
  return [tensorType(dtype, []), tensorType(dtype, [0, 0]), tensorType(dtype, [0, 0]), none];
};

export const LOSSES: ShapeTable = {
  "torch_nn::_linear_cross_entropy_batch_chunked": linearCrossEntropy,
  "torch_nn::_linear_cross_entropy_batch_chunked_no_reduction": (args) =>
    tensorType(args.tensor("input").dtype, args.tensor("target").dims),
  l1_loss: elementwise("self", "target"),
  mse_loss: elementwise("self", "target"),
  smooth_l1_loss: elementwise("self", "target"),
  huber_loss: inPlace("self", "target"),
  soft_margin_loss: inPlace("self", "target"),
  hinge_embedding_loss: inPlace("self", "target"),
  kl_div: elementwise("self", "target"),
  poisson_nll_loss: ofFloats("input", "target"),
  binary_cross_entropy: elementwise("self", "target"),
  binary_cross_entropy_with_logits: inPlace("target", "self"),
  margin_ranking_loss: ofFloats("input1", "input2", "target"),
  cosine_embedding_loss: cosineEmbedding,
  triplet_margin_loss: vectorwise("anchor", "positive", "negative"),
  cross_entropy_loss: classwise,
  nll_loss: classwise,
  multi_margin_loss: classwise,
  multilabel_margin_loss: (args) => {
    const { dtype, dims } = args.tensor("self");
    return tensorType(dtype, args.int("reduction") === 0 ? dims.slice(0, -1) : []);
  },
  nll_loss2d: classwise,
  nll_loss_nd: classwise,
  nll_loss_forward: withTotalWeight,
  nll_loss2d_forward: withTotalWeight,
  pairwise_distance: pairwiseDistance,
};

import type { Emitter } from "../core/emitter.ts";
import { rejectBytes } from "../core/fitting.ts";
import type { Lowering, LoweringTable } from "../core/lowering.ts";
import type { OpNode } from "../core/op-node.ts";
import type { Val } from "../core/tensor.ts";
import { distance } from "./distances.ts";

/** Applies `reduction`: 0 keeps every element's loss, 1 is their mean (NaN of none), 2 their sum. */
function reduced(node: OpNode, g: Emitter, loss: Val): Val {
  const reduction = node.int("reduction");
  if (reduction === 0) return loss;
  const sum = g.op("ReduceSum", [loss], { keepdims: 0 });
  return reduction === 2 ? sum : g.op("Div", [sum, g.cast(g.op("Size", [loss]), loss.dtype)]);
}

/** A loss of two operands, element by element. */
function elementwise(
  names: readonly [string, string],
  loss: (g: Emitter, x: Val, y: Val, node: OpNode) => Val,
): Lowering {
  return (node, g) => {
    const [x, y] = names.map((name) => g.cast(node.tensor(name), node.out().dtype));
    return reduced(node, g, loss(g, x!, y!, node));
  };
}

const PAIR = ["self", "target"] as const;

const number = (g: Emitter, like: Val, value: number): Val => g.scalar(like.dtype, value);

const absoluteDifference = (g: Emitter, x: Val, y: Val): Val => g.op("Abs", [g.op("Sub", [x, y])]);

/** aten::mse_loss(Tensor self, Tensor target, int reduction=1) -> Tensor */
export const mseLoss: Lowering = elementwise(PAIR, (g, x, y) => {
  const difference = g.op("Sub", [x, y]);
  return g.op("Mul", [difference, difference]);
});

/** aten::l1_loss(Tensor self, Tensor target, int reduction=1) -> Tensor */
export const l1Loss: Lowering = elementwise(PAIR, absoluteDifference);

/** Quadratic below `bound`, linear above; `scale` times. */
function quadraticThenLinear(g: Emitter, size: Val, { bound, scale }: { bound: number; scale: number }): Val {
  const quadratic = g.op("Mul", [g.op("Mul", [size, size]), number(g, size, 0.5 * scale)]);
  const linear = g.op("Mul", [
    g.op("Sub", [size, number(g, size, 0.5 * bound)]),
    number(g, size, bound * scale),
  ]);
  return g.where(g.op("Less", [size, number(g, size, bound)]), quadratic, linear);
}

/** aten::smooth_l1_loss(Tensor self, Tensor target, int reduction=1, float beta=1.) -> Tensor */
export const smoothL1Loss: Lowering = elementwise(PAIR, (g, x, y, node) => {
  const beta = node.float("beta");
  const size = absoluteDifference(g, x, y);
  return beta === 0 ? size : quadraticThenLinear(g, size, { bound: beta, scale: 1 / beta });
});

/** aten::huber_loss(Tensor self, Tensor target, int reduction=1, float delta=1.) -> Tensor */
export const huberLoss: Lowering = elementwise(PAIR, (g, x, y, node) =>
  quadraticThenLinear(g, absoluteDifference(g, x, y), { bound: node.float("delta"), scale: 1 }),
);

/** aten::soft_margin_loss(Tensor self, Tensor target, int reduction=1) -> Tensor: log(1 + exp(-target · self)) */
export const softMarginLoss: Lowering = elementwise(PAIR, (g, x, y) =>
  g.op("Softplus", [g.op("Neg", [g.op("Mul", [x, y])])]),
);

/** aten::kl_div(Tensor self, Tensor target, int reduction=1, *, bool log_target=False) -> Tensor. target · log target is 0 at 0. */
export const klDiv: Lowering = elementwise(PAIR, (g, x, y, node) => {
  if (node.bool("log_target")) return g.op("Mul", [g.op("Exp", [y]), g.op("Sub", [y, x])]);
  const entropy = g.op("Mul", [y, g.op("Log", [y])]);
  const defined = g.where(g.op("Equal", [y, number(g, y, 0)]), number(g, y, 0), entropy);
  return g.op("Sub", [defined, g.op("Mul", [y, x])]);
});

/** aten::hinge_embedding_loss(Tensor self, Tensor target, float margin=1., int reduction=1) -> Tensor */
export const hingeEmbeddingLoss: Lowering = elementwise(PAIR, (g, x, y, node) => {
  const hinge = g.op("Max", [g.op("Sub", [number(g, x, node.float("margin")), x]), number(g, x, 0)]);
  const when = (target: number, value: Val): Val =>
    g.where(g.op("Equal", [y, number(g, y, target)]), number(g, x, 0), value);
  return g.op("Add", [when(1, hinge), when(-1, x)]);
});

/** aten::poisson_nll_loss(Tensor input, Tensor target, bool log_input, bool full, float eps, int reduction) -> Tensor */
export const poissonLoss: Lowering = elementwise(["input", "target"], (g, x, y, node) => {
  const loss = node.bool("log_input")
    ? g.op("Sub", [g.op("Exp", [x]), g.op("Mul", [y, x])])
    : g.op("Sub", [x, g.op("Mul", [y, g.op("Log", [g.op("Add", [x, number(g, x, node.float("eps"))])])])]);
  if (!node.bool("full")) return loss;
  const logarithm = g.op("Log", [y]);
  const entropy = g.op("Sub", [g.op("Mul", [y, logarithm]), y]);
  const rest = g.op("Mul", [g.op("Log", [g.op("Mul", [y, number(g, y, 2 * Math.PI)])]), number(g, y, 0.5)]);
  const isLarge = g.op("Greater", [y, number(g, y, 1)]);
  return g.op("Add", [loss, g.where(isLarge, g.op("Add", [entropy, rest]), number(g, y, 0))]);
});

function weighted(node: OpNode, g: Emitter, loss: Val): Val {
  const weight = node.optionalTensor("weight");
  return weight === undefined ? loss : g.op("Mul", [loss, g.cast(weight, loss.dtype)]);
}

/** aten::binary_cross_entropy(Tensor self, Tensor target, Tensor? weight=None, int reduction=1) -> Tensor. Logarithms are at least -100. */
export const binaryCrossEntropy: Lowering = elementwise(PAIR, (g, x, y, node) => {
  const log = (val: Val): Val => g.op("Max", [g.op("Log", [val]), number(g, val, -100)]);
  const no = g.op("Sub", [number(g, x, 1), x]);
  const loss = g.op("Sub", [
    g.op("Mul", [g.op("Sub", [y, number(g, y, 1)]), log(no)]),
    g.op("Mul", [y, log(x)]),
  ]);
  return weighted(node, g, loss);
});

/** aten::binary_cross_entropy_with_logits(Tensor self, Tensor target, Tensor? weight=None, Tensor? pos_weight=None, int reduction=1) -> Tensor */
export const binaryCrossEntropyWithLogits: Lowering = elementwise(PAIR, (g, x, y, node) => {
  const positive = node.optionalTensor("pos_weight");
  const softplus = g.op("Softplus", [g.op("Neg", [x])]);
  const one = number(g, x, 1);
  const rest = g.op("Mul", [g.op("Sub", [one, y]), x]);
  if (positive === undefined) return weighted(node, g, g.op("Add", [rest, softplus]));
  const extra = g.op("Mul", [g.op("Sub", [g.cast(positive, x.dtype), one]), y]);
  return weighted(node, g, g.op("Add", [rest, g.op("Mul", [g.op("Add", [extra, one]), softplus])]));
});

/** aten::margin_ranking_loss(Tensor input1, Tensor input2, Tensor target, float margin=0., int reduction=1) -> Tensor */
export const marginRankingLoss: Lowering = (node, g) => {
  const { dtype } = node.out();
  // Its sign is turned.
  rejectBytes([node.tensor("target")]);
  const [a, b, y] = ["input1", "input2", "target"].map((name) => g.cast(node.tensor(name), dtype));
  const ordered = g.op("Mul", [g.op("Neg", [y!]), g.op("Sub", [a!, b!])]);
  const loss = g.op("Add", [ordered, g.scalar(dtype, node.float("margin"))]);
  return reduced(node, g, g.op("Max", [loss, g.scalar(dtype, 0)]));
};

/** aten::cosine_embedding_loss(Tensor input1, Tensor input2, Tensor target, float margin=0., int reduction=1) -> Tensor */
export const cosineEmbeddingLoss: Lowering = (node, g) => {
  const { dtype } = node.out();
  const [a, b] = ["input1", "input2"].map((name) => g.cast(node.tensor(name), dtype)) as [Val, Val];
  const target = node.tensor("target");
  const axes = g.ints([target.dims.length === 0 ? 0 : 1]);
  const inner = (x: Val, y: Val): Val => g.op("ReduceSum", [g.op("Mul", [x, y]), axes], { keepdims: 0 });
  const length = (x: Val): Val => g.op("Add", [inner(x, x), g.scalar(dtype, 1e-12)]);
  const cosine = g.op("Div", [inner(a, b), g.op("Sqrt", [g.op("Mul", [length(a), length(b)])])]);
  const [zero, one] = [g.scalar(dtype, 0), g.scalar(dtype, 1)];
  const apart = g.op("Max", [g.op("Sub", [cosine, g.scalar(dtype, node.float("margin"))]), zero]);
  const when = (label: number, value: Val): Val =>
    g.where(g.op("Equal", [g.cast(target, dtype), g.scalar(dtype, label)]), value, zero);
  return reduced(node, g, g.op("Add", [when(1, g.op("Sub", [one, cosine])), when(-1, apart)]));
};

/** aten::triplet_margin_loss(Tensor anchor, Tensor positive, Tensor negative, float margin=1., float p=2., float eps=1e-06, bool swap=False, int reduction=1) -> Tensor */
export const tripletMarginLoss: Lowering = (node, g) => {
  const { dtype } = node.out();
  const names = ["anchor", "positive", "negative"];
  rejectBytes(names.map((name) => node.tensor(name)));
  const axis = Math.max(...names.map((name) => node.tensor(name).dims.length)) - 1;
  const [anchor, positive, negative] = names.map((name) => g.cast(node.tensor(name), dtype)) as [
    Val,
    Val,
    Val,
  ];
  const how = { p: node.float("p"), eps: node.float("eps"), axes: axis < 0 ? [] : [axis], keepdims: 0 };
  const near = distance(g, anchor, positive, how);
  const far = distance(g, anchor, negative, how);
  const apart = node.bool("swap") ? g.op("Min", [far, distance(g, positive, negative, how)]) : far;
  const loss = g.op("Add", [g.op("Sub", [near, apart]), g.scalar(dtype, node.float("margin"))]);
  return reduced(node, g, g.op("Max", [loss, g.scalar(dtype, 0)]));
};

export const LOSSES: LoweringTable = {
  "aten.mse_loss.default": mseLoss,
  "aten.l1_loss.default": l1Loss,
  "aten.smooth_l1_loss.default": smoothL1Loss,
  "aten.huber_loss.default": huberLoss,
  "aten.soft_margin_loss.default": softMarginLoss,
  "aten.kl_div.default": klDiv,
  "aten.hinge_embedding_loss.default": hingeEmbeddingLoss,
  "aten.poisson_nll_loss.default": poissonLoss,
  "aten.binary_cross_entropy.default": binaryCrossEntropy,
  "aten.binary_cross_entropy_with_logits.default": binaryCrossEntropyWithLogits,
  "aten.cosine_embedding_loss.default": cosineEmbeddingLoss,
  "aten.margin_ranking_loss.default": marginRankingLoss,
  "aten.triplet_margin_loss.default": tripletMarginLoss,
};

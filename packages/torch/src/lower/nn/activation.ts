import { float } from "../../onnx/model.ts";
import type { Emitter } from "../core/emitter.ts";
import { extremeOf } from "../core/exact-integers.ts";
import { asFitting } from "../core/fitting.ts";
import type { Lowering, LoweringTable } from "../core/lowering.ts";
import type { OpNode } from "../core/op-node.ts";
import type { Scalar, Val } from "../core/tensor.ts";
import { unsupported } from "../core/unsupported.ts";

function self(node: OpNode, g: Emitter): Val {
  return g.cast(node.tensor("self"), node.out().dtype);
}

/** aten::relu(Tensor self) -> Tensor */
export const relu: Lowering = (node, g) => {
  const x = node.tensor("self");
  return x.dtype === "float32" || x.dtype === "float64"
    ? g.op("Relu", [x])
    : extremeOf(g, "Max", [x, g.scalar(x.dtype, 0)]);
};

/** aten::relu6(Tensor self) -> Tensor */
export const relu6: Lowering = (node, g) => clip(g, self(node, g), 0, 6);

function clip(g: Emitter, x: Val, min: number, max: number): Val {
  return extremeOf(g, "Min", [extremeOf(g, "Max", [x, g.scalar(x.dtype, min)]), g.scalar(x.dtype, max)]);
}

/** aten::hardtanh(Tensor self, Scalar min_val=-1, Scalar max_val=1) -> Tensor */
export const hardtanh: Lowering = (node, g) =>
  clip(g, self(node, g), node.float("min_val"), node.float("max_val"));

/** aten::hardsigmoid(Tensor self) -> Tensor: clip(x + 3, 0, 6) / 6 */
export const hardsigmoid: Lowering = (node, g) => {
  const x = self(node, g);
  return g.op("Div", [clip(g, g.op("Add", [x, g.scalar(x.dtype, 3)]), 0, 6), g.scalar(x.dtype, 6)]);
};

/** aten::hardswish(Tensor self) -> Tensor: x * clip(x + 3, 0, 6) / 6 */
export const hardswish: Lowering = (node, g) => {
  const x = self(node, g);
  const gate = clip(g, g.op("Add", [x, g.scalar(x.dtype, 3)]), 0, 6);
  return g.op("Div", [g.op("Mul", [x, gate]), g.scalar(x.dtype, 6)]);
};

/** aten::silu(Tensor self) -> Tensor */
export const silu: Lowering = (node, g) => {
  const x = self(node, g);
  // ONNX Runtime makes one operator of a product with a sigmoid, and has no kernel of it for float64.
  if (x.dtype === "float64") {
    const one = g.scalar(x.dtype, 1);
    return g.op("Div", [x, g.op("Add", [one, g.op("Exp", [g.op("Neg", [x])])])]);
  }
  return g.op("Mul", [x, g.op("Sigmoid", [x])]);
};

/** aten::mish(Tensor self) -> Tensor: x * tanh(softplus(x)) */
export const mish: Lowering = (node, g) => {
  const x = self(node, g);
  return g.op("Mul", [x, g.op("Tanh", [g.op("Softplus", [x])])]);
};

/** aten::threshold(Tensor self, Scalar threshold, Scalar value) -> Tensor: x where it is above, NaN included */
export const threshold: Lowering = (node, g) => {
  const x = self(node, g);
  const isBelow = g.op("LessOrEqual", [x, g.as(node.scalar("threshold"), x.dtype)]);
  return g.where(isBelow, asFitting(g, node.scalar("value"), x.dtype), x);
};

/** aten::hardshrink(Tensor self, Scalar lambd=0.5) -> Tensor: 0 within [-lambd, lambd] */
export const hardshrink: Lowering = (node, g) => {
  const x = self(node, g);
  const bound = node.float("lambd");
  const isInside = g.op("And", [
    g.op("GreaterOrEqual", [x, g.scalar(x.dtype, -bound)]),
    g.op("LessOrEqual", [x, g.scalar(x.dtype, bound)]),
  ]);
  return g.where(isInside, g.scalar(x.dtype, 0), x);
};

/** aten::softshrink(Tensor self, Scalar lambd=0.5) -> Tensor: moved by lambd towards 0, which it does not cross; NaN stays NaN */
export const softshrink: Lowering = (node, g) => {
  const x = self(node, g);
  const lambd = g.scalar(x.dtype, node.float("lambd"));
  const fromBelow = g.op("Add", [x, lambd]);
  const shrunk = g.where(
    g.op("Greater", [x, lambd]),
    g.op("Sub", [x, lambd]),
    g.op("Mul", [x, g.scalar(x.dtype, 0)]),
  );
  return g.where(g.op("Less", [x, g.op("Neg", [lambd])]), fromBelow, shrunk);
};

/** aten::gelu(Tensor self, *, str approximate="none") -> Tensor */
export const gelu: Lowering = (node, g) =>
  g.op("Gelu", [self(node, g)], { approximate: node.string("approximate") });

/** aten::rrelu(Tensor self, Scalar lower=0.125, Scalar upper=0.33333333333333331, bool training=False, ...) -> Tensor */
export const rrelu: Lowering = (node, g) => {
  if (node.bool("training"))
    unsupported("it draws its slopes in training mode; call model.eval() before exporting");
  const [lower, upper] = ["lower", "upper"].map((name) => Number(node.scalar(name).value));
  return leaky(g, self(node, g), { kind: "float", value: (lower! + upper!) / 2 });
};

/** aten::rrelu_with_noise_functional(Tensor self, Tensor noise, Scalar lower=0.125, Scalar upper=0.33333333333333331, bool training=False, ...) -> (Tensor, Tensor noise_out) */
export const rreluWithNoise: Lowering = (node, g) => [
  rrelu(node, g) as Val,
  node.isUsed(1) ? node.tensor("noise") : undefined,
];

function leaky(g: Emitter, x: Val, slope: Scalar): Val {
  const scaled = g.op("Mul", [x, g.as(slope, x.dtype)]);
  return g.op("Where", [g.op("Greater", [x, g.scalar(x.dtype, 0)]), x, scaled]);
}

/** aten::leaky_relu(Tensor self, Scalar negative_slope=0.01) -> Tensor */
export const leakyRelu: Lowering = (node, g) => leaky(g, self(node, g), node.scalar("negative_slope"));

/** aten::elu(Tensor self, Scalar alpha=1, Scalar scale=1, Scalar input_scale=1) -> Tensor */
export const elu: Lowering = (node, g) => {
  const x = self(node, g);
  const { dtype } = x;
  const [alpha, scale, inputScale] = [node.float("alpha"), node.float("scale"), node.float("input_scale")];
  const scaled = inputScale === 1 ? x : g.op("Mul", [x, g.scalar(dtype, inputScale)]);
  const negative = g.op("Mul", [expm1(g, scaled), g.scalar(dtype, alpha * scale)]);
  const positive = scale === 1 ? x : g.op("Mul", [x, g.scalar(dtype, scale)]);
  return g.op("Where", [g.op("Greater", [x, g.scalar(dtype, 0)]), positive, negative]);
};

/** exp(x) - 1 that stays exact near 0: tanh(x/2) * (exp(x) + 1). */
export function expm1(g: Emitter, x: Val): Val {
  const half = g.op("Tanh", [g.op("Mul", [x, g.scalar(x.dtype, 0.5)])]);
  const exp = g.op("Exp", [x]);
  const product = g.op("Mul", [half, g.op("Add", [exp, g.scalar(x.dtype, 1)])]);
  const isSmall = g.op("Less", [g.op("Abs", [x]), g.scalar(x.dtype, 1)]);
  return g.op("Where", [isSmall, product, g.op("Sub", [exp, g.scalar(x.dtype, 1)])]);
}

/** aten::selu(Tensor self) -> Tensor */
export const selu: Lowering = (node, g) => {
  const attributes = { alpha: float(1.6732632423543772), gamma: float(1.0507009873554805) };
  return g.op("Selu", [self(node, g)], attributes);
};

/** aten::celu(Tensor self, Scalar alpha=1.0) -> Tensor */
export const celu: Lowering = (node, g) => {
  const x = self(node, g);
  const alpha = node.float("alpha");
  const negative = g.op("Mul", [
    expm1(g, g.op("Div", [x, g.scalar(x.dtype, alpha)])),
    g.scalar(x.dtype, alpha),
  ]);
  return g.op("Where", [g.op("Greater", [x, g.scalar(x.dtype, 0)]), x, negative]);
};

/** aten::softplus(Tensor self, Scalar beta=1, Scalar threshold=20) -> Tensor */
export const softplus: Lowering = (node, g) => {
  const x = self(node, g);
  const beta = node.float("beta");
  const scaled = g.op("Mul", [x, g.scalar(x.dtype, beta)]);
  const soft = g.op("Div", [g.op("Softplus", [scaled]), g.scalar(x.dtype, beta)]);
  return g.op("Where", [g.op("Greater", [scaled, g.scalar(x.dtype, node.float("threshold"))]), x, soft]);
};

/** aten::log_sigmoid(Tensor self) -> Tensor: -softplus(-x) */
export const logSigmoid: Lowering = (node, g) =>
  g.op("Neg", [g.op("Softplus", [g.op("Neg", [self(node, g)])])]);

/** aten::prelu(Tensor self, Tensor weight) -> Tensor. One slope, or one per channel (dimension 1). */
export const prelu: Lowering = (node, g) => {
  const x = node.tensor("self");
  const weight = node.tensor("weight");
  const trailing = Array.from({ length: Math.max(0, x.dims.length - 2) }, (_, i) => i + 1);
  const isSingle = weight.dims.length === 0 || weight.dims[0] === 1;
  const slope = isSingle ? g.reshape(weight, []) : x.dims.length < 2 ? weight : g.unsqueeze(weight, trailing);
  return g.op("Where", [g.op("Greater", [x, g.scalar(x.dtype, 0)]), x, g.op("Mul", [x, slope])]);
};

/** aten::glu(Tensor self, int dim=-1) -> Tensor */
export const glu: Lowering = (node, g) => {
  const x = node.tensor("self");
  const dim = node.int("dim");
  const [value, gate] = g.ops("Split", [x], { count: 2, attributes: { axis: dim, num_outputs: 2 } });
  return g.op("Mul", [value!, g.op("Sigmoid", [gate!])]);
};

export const ACTIVATION: LoweringTable = {
  "aten.relu.default": relu,
  "aten.relu6.default": relu6,
  "aten.hardtanh.default": hardtanh,
  "aten.hardsigmoid.default": hardsigmoid,
  "aten.hardswish.default": hardswish,
  "aten.silu.default": silu,
  "aten.mish.default": mish,
  "aten.threshold.default": threshold,
  "aten.hardshrink.default": hardshrink,
  "aten.softshrink.default": softshrink,
  "aten.gelu.default": gelu,
  "aten.leaky_relu.default": leakyRelu,
  "aten.rrelu.default": rrelu,
  "aten.rrelu_with_noise_functional.default": rreluWithNoise,
  "aten.elu.default": elu,
  "aten.selu.default": selu,
  "aten.celu.default": celu,
  "aten.softplus.default": softplus,
  "aten.log_sigmoid.default": logSigmoid,
  "aten.prelu.default": prelu,
  "aten.glu.default": glu,
};

import type { Emitter } from "../core/emitter.ts";
import type { Lowering, LoweringTable } from "../core/lowering.ts";
import { all } from "../core/lowering.ts";
import { isTensor, type Val } from "../core/tensor.ts";
import { expm1, log1p, rootOf } from "./float-math.ts";

/** An op of one operand, calculated in the result's type. */
function unary(formula: (g: Emitter, x: Val) => Val): Lowering {
  return (node, g) => formula(g, g.cast(node.tensor("self"), node.out().dtype));
}

/** An op of two operands, calculated in the result's type. */
function binary(formula: (g: Emitter, a: Val, b: Val) => Val): Lowering {
  return (node, g) => {
    const { dtype } = node.out();
    return formula(g, g.as(node.operand("self"), dtype), g.as(node.operand("other"), dtype));
  };
}

/** aten::exp2(Tensor self) -> Tensor */
function exp2(g: Emitter, x: Val): Val {
  return g.op("Pow", [g.scalar(x.dtype, 2), x]);
}

/** aten::logaddexp(Tensor self, Tensor other) -> Tensor: log(e^a + e^b) around the larger one */
export function logAddExp(g: Emitter, a: Val, b: Val): Val {
  const distance = g.op("Neg", [g.op("Abs", [g.op("Sub", [a, b])])]);
  const sum = g.op("Add", [g.op("Max", [a, b]), log1p(g, g.op("Exp", [distance]))]);
  return unlessSameInfinity(g, { a, b, sum });
}

/** aten::logaddexp2(Tensor self, Tensor other) -> Tensor */
function logAddExp2(g: Emitter, a: Val, b: Val): Val {
  const distance = g.op("Neg", [g.op("Abs", [g.op("Sub", [a, b])])]);
  const log = g.op("Mul", [log1p(g, exp2(g, distance)), g.scalar(a.dtype, Math.LOG2E)]);
  return unlessSameInfinity(g, { a, b, sum: g.op("Add", [g.op("Max", [a, b]), log]) });
}

function unlessSameInfinity(g: Emitter, { a, b, sum }: { a: Val; b: Val; sum: Val }): Val {
  return g.where(g.op("And", [g.op("IsInf", [a]), g.op("Equal", [a, b])]), a, sum);
}

/**
 * aten::xlogy.Tensor(Tensor self, Tensor other) -> Tensor
 * aten::special_xlog1py(Tensor self, Tensor other) -> Tensor
 * aten::special_xlog1py.other_scalar(Tensor self, Scalar other) -> Tensor
 * aten::special_xlog1py.self_scalar(Scalar self, Tensor other) -> Tensor
 * aten::xlogy.Scalar_Other(Tensor self, Scalar other) -> Tensor
 * aten::xlogy.Scalar_Self(Scalar self, Tensor other) -> Tensor
 *
 * `a·log(b)`, 0 where a is 0.
 */
function timesLog(log: (g: Emitter, x: Val) => Val): (g: Emitter, a: Val, b: Val) => Val {
  return (g, a, b) => {
    const zero = g.scalar(a.dtype, 0);
    const product = g.where(g.op("Equal", [a, zero]), zero, g.op("Mul", [a, log(g, b)]));
    return g.where(g.op("IsNaN", [b]), b, product);
  };
}

const plainLog = (g: Emitter, x: Val): Val => g.op("Log", [x]);

/** aten::special_entr(Tensor self) -> Tensor: -x·log(x) */
function entropy(g: Emitter, x: Val): Val {
  const zero = g.scalar(x.dtype, 0);
  const inside = g.op("Neg", [g.op("Mul", [x, g.op("Log", [x])])]);
  const outside = g.where(g.op("Less", [x, zero]), g.scalar(x.dtype, Number.NEGATIVE_INFINITY), inside);
  return g.where(g.op("Equal", [x, zero]), zero, outside);
}

/** aten::sinc(Tensor self) -> Tensor: sin(πx) / πx */
function sinc(g: Emitter, x: Val): Val {
  const angle = g.op("Mul", [x, g.scalar(x.dtype, Math.PI)]);
  const one = g.scalar(x.dtype, 1);
  return g.where(g.op("Equal", [x, g.scalar(x.dtype, 0)]), one, g.op("Div", [g.op("Sin", [angle]), angle]));
}

/** aten::logit(Tensor self, float? eps=None) -> Tensor */
export const logit: Lowering = (node, g) => {
  const { dtype } = node.out();
  const eps = node.optionalFloat("eps") ?? -1;
  const self = g.cast(node.tensor("self"), dtype);
  const x =
    eps < 0 ? self : g.op("Min", [g.op("Max", [self, g.scalar(dtype, eps)]), g.scalar(dtype, 1 - eps)]);
  return g.op("Log", [g.op("Div", [x, g.op("Sub", [g.scalar(dtype, 1), x])])]);
};

/**
 * aten::float_power.Tensor_Tensor(Tensor self, Tensor exponent) -> Tensor
 * aten::float_power.Scalar(Scalar self, Tensor exponent) -> Tensor
 * aten::float_power.Tensor_Scalar(Tensor self, Scalar exponent) -> Tensor
 *
 * Always in float64.
 */
export const floatPower: Lowering = (node, g) => {
  const self = g.as(node.operand("self"), "float64");
  const exponent = node.operand("exponent");
  return (
    rootOf(g, self, isTensor(exponent) ? undefined : exponent.value) ??
    g.op("Pow", [self, g.as(exponent, "float64")])
  );
};

/** aten::ldexp.Tensor(Tensor self, Tensor other) -> Tensor: self · 2^other, the power in float32 for integers */
export const ldexp: Lowering = (node, g) => {
  const { dtype } = node.out();
  const power = exp2(g, g.as(node.operand("other"), dtype));
  return g.op("Mul", [g.as(node.operand("self"), dtype), power]);
};

/** aten::deg2rad(Tensor self) -> Tensor, aten::rad2deg(Tensor self) -> Tensor */
function scaledBy(factor: number): Lowering {
  return unary((g, x) => g.op("Mul", [x, g.scalar(x.dtype, factor)]));
}

export const EXPONENTIAL: LoweringTable = {
  "aten.log1p.default": unary(log1p),
  "aten.expm1.default": unary(expm1),
  "aten.exp2.default": unary(exp2),
  "aten.logaddexp.default": binary(logAddExp),
  "aten.logaddexp2.default": binary(logAddExp2),
  ...all("xlogy", binary(timesLog(plainLog)), ["Tensor", "Scalar_Self", "Scalar_Other"]),
  ...all("special_xlog1py", binary(timesLog(log1p)), ["default", "self_scalar", "other_scalar"]),
  "aten.special_entr.default": unary(entropy),
  "aten.sinc.default": unary(sinc),
  "aten.logit.default": logit,
  ...all("float_power", floatPower, ["Tensor_Tensor", "Tensor_Scalar", "Scalar"]),
  "aten.ldexp.Tensor": ldexp,
  "aten.deg2rad.default": scaledBy(Math.PI / 180),
  "aten.rad2deg.default": scaledBy(180 / Math.PI),
};

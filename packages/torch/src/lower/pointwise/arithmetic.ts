import type { Emitter } from "../core/emitter.ts";
import {
  extremeOf,
  flooredQuotient,
  safeDivisor,
  truncatedQuotient,
  truncatedRemainder,
} from "../core/exact-integers.ts";
import { all, type Lowering, type LoweringTable } from "../core/lowering.ts";
import { isFloat, isTensor, type Operand, type Val } from "../core/tensor.ts";
import { rootOf } from "./float-math.ts";
import { integerPower } from "./integer-power.ts";
import { truncate } from "./rounding.ts";

/** Ops of two operands, calculated in the result's type: `aten::div.Tensor(Tensor self, Tensor other) -> Tensor` is Div. */
function binary(type: string): Lowering {
  return (node, g) => {
    const { dtype } = node.out();
    return g.op(type, [g.as(node.operand("self"), dtype), g.as(node.operand("other"), dtype)]);
  };
}

/** `other * alpha`; nothing is emitted for alpha = 1. */
function scaled(g: Emitter, other: Val, alpha: Operand): Val {
  if (!isTensor(alpha) && alpha.value === 1) return other;
  return g.op("Mul", [other, g.as(alpha, other.dtype)]);
}

/**
 * aten::add.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor
 * aten::add.Scalar(Tensor self, Scalar other, Scalar alpha=1) -> Tensor
 */
export const add: Lowering = (node, g) => {
  const { dtype } = node.out();
  const other = g.as(node.operand("other"), dtype);
  if (dtype === "bool") {
    const { value } = node.scalar("alpha");
    return value === 0
      ? g.as(node.operand("self"), dtype)
      : g.op("Or", [g.as(node.operand("self"), dtype), other]);
  }
  return g.op("Add", [g.as(node.operand("self"), dtype), scaled(g, other, node.scalar("alpha"))]);
};

/** aten::_add_relu.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor */
export const addRelu: Lowering = (node, g) =>
  extremeOf(g, "Max", [add(node, g) as Val, g.scalar(node.out().dtype, 0)]);

/**
 * aten::sub.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor
 * aten::sub.Scalar(Tensor self, Scalar other, Scalar alpha=1) -> Tensor
 * aten::subtract.Scalar(Tensor self, Scalar other, Scalar alpha=1) -> Tensor
 * aten::subtract.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor
 */
export const sub: Lowering = (node, g) => {
  const { dtype } = node.out();
  const other = g.as(node.operand("other"), dtype);
  return g.op("Sub", [g.as(node.operand("self"), dtype), scaled(g, other, node.scalar("alpha"))]);
};

/**
 * aten::rsub.Scalar(Tensor self, Scalar other, Scalar alpha=1) -> Tensor
 * aten::rsub.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor
 *
 * `other - alpha * self`.
 */
export const rsub: Lowering = (node, g) => {
  const { dtype } = node.out();
  const self = scaled(g, g.as(node.operand("self"), dtype), node.scalar("alpha"));
  return g.op("Sub", [g.as(node.operand("other"), dtype), self]);
};

/**
 * aten::mul.Tensor(Tensor self, Tensor other) -> Tensor
 * aten::mul.Scalar(Tensor self, Scalar other) -> Tensor
 * aten::multiply.Scalar(Tensor self, Scalar other) -> Tensor
 * aten::multiply.Tensor(Tensor self, Tensor other) -> Tensor
 */
export const mul: Lowering = (node, g) => {
  const { dtype } = node.out();
  return g.op(dtype === "bool" ? "And" : "Mul", [
    g.as(node.operand("self"), dtype),
    g.as(node.operand("other"), dtype),
  ]);
};

/**
 * aten::div.Tensor(Tensor self, Tensor other) -> Tensor
 * aten::div.Scalar(Tensor self, Scalar other) -> Tensor
 * aten::divide.Scalar(Tensor self, Scalar other) -> Tensor
 * aten::divide.Tensor(Tensor self, Tensor other) -> Tensor
 * aten::true_divide.Scalar(Tensor self, Scalar other) -> Tensor
 * aten::true_divide.Tensor(Tensor self, Tensor other) -> Tensor
 *
 * Integers divide as floats: the result's type says which.
 */
export const div: Lowering = binary("Div");

/**
 * aten::div.Tensor_mode(Tensor self, Tensor other, *, str? rounding_mode) -> Tensor
 * aten::div.Scalar_mode(Tensor self, Scalar other, *, str? rounding_mode) -> Tensor
 * aten::divide.Scalar_mode(Tensor self, Scalar other, *, str? rounding_mode) -> Tensor
 * aten::divide.Tensor_mode(Tensor self, Tensor other, *, str? rounding_mode) -> Tensor
 */
export const divMode: Lowering = (node, g) => {
  if (!node.has("rounding_mode")) return div(node, g);
  const { dtype } = node.out();
  const [a, b] = [g.as(node.operand("self"), dtype), g.as(node.operand("other"), dtype)];
  if (node.string("rounding_mode") === "floor") return floorDivide(g, a, b);
  return isFloat(dtype) ? truncate(g, g.op("Div", [a, b])) : truncatedQuotient(g, a, b);
};

/**
 * aten::floor_divide(Tensor self, Tensor other) -> Tensor
 * aten::floor_divide.Scalar(Tensor self, Scalar other) -> Tensor
 */
export const floorDivideOp: Lowering = (node, g) => {
  const { dtype } = node.out();
  return floorDivide(g, g.as(node.operand("self"), dtype), g.as(node.operand("other"), dtype));
};

/**
 * Rounds down. For floats PyTorch goes over the remainder: 1 // 0.1 is 9, not floor(10.0) (c10::div_floor_floating); the quotient is
 * then snapped to the nearest whole number.
 */
function floorDivide(g: Emitter, a: Val, b: Val): Val {
  const { dtype } = a;
  if (!isFloat(dtype)) return flooredQuotient(g, a, b);
  const zero = g.scalar(dtype, 0);
  const one = g.scalar(dtype, 1);
  const mod = g.op("Mod", [a, b], { fmod: 1 });
  const exact = g.op("Div", [g.op("Sub", [a, mod]), b]);
  const differs = g.op("And", [
    g.op("Not", [g.op("Equal", [mod, zero])]),
    g.op("Not", [g.op("Equal", [g.op("Less", [b, zero]), g.op("Less", [mod, zero])])]),
  ]);
  const down = g.op("Where", [differs, g.op("Sub", [exact, one]), exact]);
  const floor = g.op("Floor", [down]);
  const isAbove = g.op("Greater", [g.op("Sub", [down, floor]), g.scalar(dtype, 0.5)]);
  const snapped = g.op("Where", [isAbove, g.op("Add", [floor, one]), floor]);
  return g.op("Where", [g.op("Equal", [b, zero]), g.op("Div", [a, b]), snapped]);
}

/**
 * aten::remainder.Tensor(Tensor self, Tensor other) -> Tensor
 * aten::remainder.Scalar(Tensor self, Scalar other) -> Tensor
 * aten::remainder.Scalar_Tensor(Scalar self, Tensor other) -> Tensor
 *
 * The sign is the divisor's.
 */
export const remainder: Lowering = (node, g) => {
  const { dtype } = node.out();
  const [a, b] = [g.as(node.operand("self"), dtype), g.as(node.operand("other"), dtype)];
  if (!isFloat(dtype)) return g.op("Mod", [a, safeDivisor(g, b)], { fmod: 0 });
  const zero = g.scalar(dtype, 0);
  const mod = g.op("Mod", [a, b], { fmod: 1 });
  const differs = g.op("And", [
    g.op("Not", [g.op("Equal", [mod, zero])]),
    g.op("Not", [g.op("Equal", [g.op("Less", [b, zero]), g.op("Less", [mod, zero])])]),
  ]);
  return g.op("Where", [differs, g.op("Add", [mod, b]), mod]);
};

/**
 * aten::fmod.Tensor(Tensor self, Tensor other) -> Tensor
 * aten::fmod.Scalar(Tensor self, Scalar other) -> Tensor
 *
 * The sign is the dividend's.
 */
export const fmod: Lowering = (node, g) => {
  const { dtype } = node.out();
  return truncatedRemainder(g, g.as(node.operand("self"), dtype), g.as(node.operand("other"), dtype));
};

/**
 * aten::pow.Tensor_Tensor(Tensor self, Tensor exponent) -> Tensor
 * aten::pow.Scalar(Scalar self, Tensor exponent) -> Tensor
 */
export const pow: Lowering = (node, g) => {
  const { dtype } = node.out();
  const self = g.as(node.operand("self"), dtype);
  const exponent = node.operand("exponent");
  if (!isTensor(exponent) && exponent.value === 2) return g.op("Mul", [self, self]);
  if (!isFloat(dtype)) return integerPower(g, self, exponent);
  return (
    rootOf(g, self, isTensor(exponent) ? undefined : exponent.value) ??
    g.op("Pow", [self, g.as(exponent, dtype)])
  );
};

/**
 * aten::clamp(Tensor self, Scalar? min=None, Scalar? max=None) -> Tensor
 * aten::clamp.Tensor(Tensor self, Tensor? min=None, Tensor? max=None) -> Tensor
 * aten::clamp_max.Tensor(Tensor self, Tensor max) -> Tensor
 * aten::clamp_max(Tensor self, Scalar max) -> Tensor
 * aten::clamp_min.Tensor(Tensor self, Tensor min) -> Tensor
 * aten::clamp_min(Tensor self, Scalar min) -> Tensor
 *
 * Where min > max, max wins.
 */
export const clamp: Lowering = (node, g) => {
  const { dtype } = node.out();
  let x = g.cast(node.tensor("self"), dtype);
  if (node.has("min")) x = extremeOf(g, "Max", [x, g.as(node.operand("min"), dtype)]);
  if (node.has("max")) x = extremeOf(g, "Min", [x, g.as(node.operand("max"), dtype)]);
  return x;
};

/**
 * aten::addcmul(Tensor self, Tensor tensor1, Tensor tensor2, *, Scalar value=1) -> Tensor
 * aten::addcdiv(Tensor self, Tensor tensor1, Tensor tensor2, *, Scalar value=1) -> Tensor
 */
function fused(type: "Mul" | "Div"): Lowering {
  return (node, g) => {
    const { dtype } = node.out();
    const change = g.op(type, [g.cast(node.tensor("tensor1"), dtype), g.cast(node.tensor("tensor2"), dtype)]);
    return g.op("Add", [g.cast(node.tensor("self"), dtype), scaled(g, change, node.scalar("value"))]);
  };
}

const BOTH = ["Tensor", "Scalar"];

/**
 * aten::lerp.Tensor(Tensor self, Tensor end, Tensor weight) -> Tensor
 * aten::lerp.Scalar(Tensor self, Tensor end, Scalar weight) -> Tensor
 */
export const lerp: Lowering = (node, g) => {
  const { dtype } = node.out();
  const [start, end, weight] = ["self", "end", "weight"].map((name) => g.as(node.operand(name), dtype)) as [
    Val,
    Val,
    Val,
  ];
  return between(g, [start, end], weight);
};

/** The point that lies `weight` of the way from the first value to the second, calculated from the nearer end (at::native lerp). */
export function between(g: Emitter, [start, end]: readonly [Val, Val], weight: Val): Val {
  const { dtype } = start;
  const way = g.op("Sub", [end, start]);
  const rest = g.op("Sub", [g.scalar(dtype, 1), weight]);
  return g.where(
    g.op("Less", [g.op("Abs", [weight]), g.scalar(dtype, 0.5)]),
    g.op("Add", [start, g.op("Mul", [weight, way])]),
    g.op("Sub", [end, g.op("Mul", [way, rest])]),
  );
}

export const ARITHMETIC: LoweringTable = {
  ...all("add", add, BOTH),
  ...all("sub", sub, BOTH),
  ...all("rsub", rsub, BOTH),
  ...all("mul", mul, BOTH),
  ...all("div", div, BOTH),
  ...all("div", divMode, ["Tensor_mode", "Scalar_mode"]),
  ...all("true_divide", div, BOTH),
  ...all("subtract", sub, BOTH),
  ...all("multiply", mul, BOTH),
  ...all("divide", div, BOTH),
  ...all("divide", divMode, ["Tensor_mode", "Scalar_mode"]),
  "aten._add_relu.Tensor": addRelu,
  ...all("floor_divide", floorDivideOp, ["default", "Scalar"]),
  ...all("remainder", remainder, ["Tensor", "Scalar", "Scalar_Tensor"]),
  ...all("fmod", fmod, BOTH),
  ...all("pow", pow, ["Tensor_Tensor", "Tensor_Scalar", "Scalar"]),
  ...all("clamp", clamp, ["default", "Tensor"]),
  ...all("clamp_min", clamp, ["default", "Tensor"]),
  ...all("clamp_max", clamp, ["default", "Tensor"]),
  "aten.addcmul.default": fused("Mul"),
  "aten.addcdiv.default": fused("Div"),
  ...all("lerp", lerp, ["Tensor", "Scalar"]),
};

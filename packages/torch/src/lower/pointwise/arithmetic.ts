import type { DType } from "../../dtype.ts";
import type { Emitter } from "../core/emitter.ts";
import { all, type Lowering, type LoweringTable } from "../core/lowering.ts";
import { isFloat, isTensor, type Operand, type Val } from "../core/tensor.ts";
import { integerPower } from "./integer-power.ts";

/** Ops of one operand, calculated in the result's type: `aten::exp(Tensor self) -> Tensor` is Exp. */
function unary(type: string): Lowering {
  return (node, g) => g.op(type, [g.cast(node.tensor("self"), node.out().dtype)]);
}

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

/** aten::add.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor */
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

/** aten::sub.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor */
export const sub: Lowering = (node, g) => {
  const { dtype } = node.out();
  const other = g.as(node.operand("other"), dtype);
  return g.op("Sub", [g.as(node.operand("self"), dtype), scaled(g, other, node.scalar("alpha"))]);
};

/** aten::rsub.Scalar(Tensor self, Scalar other, Scalar alpha=1) -> Tensor: other - alpha * self */
export const rsub: Lowering = (node, g) => {
  const { dtype } = node.out();
  const self = scaled(g, g.as(node.operand("self"), dtype), node.scalar("alpha"));
  return g.op("Sub", [g.as(node.operand("other"), dtype), self]);
};

/** aten::mul.Tensor(Tensor self, Tensor other) -> Tensor */
export const mul: Lowering = (node, g) => {
  const { dtype } = node.out();
  return g.op(dtype === "bool" ? "And" : "Mul", [
    g.as(node.operand("self"), dtype),
    g.as(node.operand("other"), dtype),
  ]);
};

/** aten::div.Tensor(Tensor self, Tensor other) -> Tensor. Integers divide as floats: the result's type says which. */
export const div: Lowering = binary("Div");

/** aten::div.Tensor_mode(Tensor self, Tensor other, *, str? rounding_mode) -> Tensor */
export const divMode: Lowering = (node, g) => {
  if (!node.has("rounding_mode")) return div(node, g);
  const { dtype } = node.out();
  const [a, b] = [g.as(node.operand("self"), dtype), g.as(node.operand("other"), dtype)];
  if (node.string("rounding_mode") === "floor") return floorDivide(g, a, b);
  const quotient = g.op("Div", [a, b]);
  return isFloat(dtype) ? truncate(g, quotient) : quotient;
};

/** aten::floor_divide(Tensor self, Tensor other) -> Tensor */
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
  if (!isFloat(dtype)) return g.op("Div", [g.op("Sub", [a, g.op("Mod", [a, b], { fmod: 0 })]), b]);
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

function truncate(g: Emitter, x: Val): Val {
  return g.op("Mul", [g.op("Sign", [x]), g.op("Floor", [g.op("Abs", [x])])]);
}

/** aten::trunc(Tensor self) -> Tensor */
export const trunc: Lowering = (node, g) => {
  const self = node.tensor("self");
  return isFloat(self.dtype) ? truncate(g, self) : self;
};

/** aten::remainder.Tensor(Tensor self, Tensor other) -> Tensor: the sign is the divisor's */
export const remainder: Lowering = (node, g) => {
  const { dtype } = node.out();
  const [a, b] = [g.as(node.operand("self"), dtype), g.as(node.operand("other"), dtype)];
  if (!isFloat(dtype)) return g.op("Mod", [a, b], { fmod: 0 });
  const zero = g.scalar(dtype, 0);
  const mod = g.op("Mod", [a, b], { fmod: 1 });
  const differs = g.op("And", [
    g.op("Not", [g.op("Equal", [mod, zero])]),
    g.op("Not", [g.op("Equal", [g.op("Less", [b, zero]), g.op("Less", [mod, zero])])]),
  ]);
  return g.op("Where", [differs, g.op("Add", [mod, b]), mod]);
};

/** aten::fmod.Tensor(Tensor self, Tensor other) -> Tensor: the sign is the dividend's */
export const fmod: Lowering = (node, g) => {
  const { dtype } = node.out();
  return g.op("Mod", [g.as(node.operand("self"), dtype), g.as(node.operand("other"), dtype)], { fmod: 1 });
};

/** aten::pow.Tensor_Tensor(Tensor self, Tensor exponent) -> Tensor */
export const pow: Lowering = (node, g) => {
  const { dtype } = node.out();
  const self = g.as(node.operand("self"), dtype);
  const exponent = node.operand("exponent");
  if (!isTensor(exponent) && exponent.value === 2) return g.op("Mul", [self, self]);
  if (!isFloat(dtype)) return integerPower(g, self, exponent);
  return g.op("Pow", [self, g.as(exponent, dtype)]);
};

/** aten::rsqrt(Tensor self) -> Tensor */
export const rsqrt: Lowering = (node, g) =>
  g.op("Reciprocal", [g.op("Sqrt", [g.cast(node.tensor("self"), node.out().dtype)])]);

/** aten::square(Tensor self) -> Tensor */
export const square: Lowering = (node, g) => {
  const self = g.cast(node.tensor("self"), node.out().dtype);
  return g.op("Mul", [self, self]);
};

/** Ops that leave integers as they are: floor, ceil, round. */
function rounding(type: string): Lowering {
  return (node, g) => {
    const self = node.tensor("self");
    return isFloat(self.dtype) ? g.op(type, [self]) : self;
  };
}

/** aten::sign(Tensor self) -> Tensor. The sign of NaN is 0. */
export const sign: Lowering = (node, g) => {
  const self = node.tensor("self");
  if (self.dtype === "bool") return self;
  if (!isFloat(self.dtype)) return g.op("Sign", [self]);
  const zero = g.scalar(self.dtype, 0);
  return g.op("Where", [g.op("IsNaN", [self]), zero, g.op("Sign", [self])]);
};

/** aten::log2(Tensor self) -> Tensor, aten::log10(Tensor self) -> Tensor */
function logarithm(base: number): Lowering {
  return (node, g) => {
    const { dtype } = node.out();
    return g.op("Mul", [
      g.op("Log", [g.cast(node.tensor("self"), dtype)]),
      g.scalar(dtype, 1 / Math.log(base)),
    ]);
  };
}

/** aten::maximum(Tensor self, Tensor other) -> Tensor. NaN wins, as in PyTorch. */
function extreme(type: "Max" | "Min"): Lowering {
  return (node, g) => {
    const { dtype } = node.out();
    const operands = [g.as(node.operand("self"), dtype), g.as(node.operand("other"), dtype)];
    return dtype === "bool" ? g.op(type === "Max" ? "Or" : "And", operands) : g.op(type, operands);
  };
}

/** aten::clamp(Tensor self, Scalar? min=None, Scalar? max=None) -> Tensor. Where min > max, max wins. */
export const clamp: Lowering = (node, g) => {
  const { dtype } = node.out();
  let x = g.cast(node.tensor("self"), dtype);
  const [max, min] = dtype === "bool" ? ["Or", "And"] : ["Max", "Min"];
  if (node.has("min")) x = g.op(max!, [x, g.as(node.operand("min"), dtype)]);
  if (node.has("max")) x = g.op(min!, [x, g.as(node.operand("max"), dtype)]);
  return x;
};

/** aten::addcmul(Tensor self, Tensor tensor1, Tensor tensor2, *, Scalar value=1) -> Tensor */
function fused(type: "Mul" | "Div"): Lowering {
  return (node, g) => {
    const { dtype } = node.out();
    const change = g.op(type, [g.cast(node.tensor("tensor1"), dtype), g.cast(node.tensor("tensor2"), dtype)]);
    return g.op("Add", [g.cast(node.tensor("self"), dtype), scaled(g, change, node.scalar("value"))]);
  };
}

/** aten::clone(Tensor self, *, MemoryFormat? memory_format=None) -> Tensor. ONNX values are dense and immutable. */
export const identity: Lowering = (node) => node.tensor("self");

/**
 * aten::to.dtype(Tensor(a) self, ScalarType dtype, ...) -> Tensor(a). Half precision is carried as float32; where the program casts
 * into or out of it, values are rounded to what it can hold.
 */
export const to: Lowering = (node, g) => {
  const self = node.tensor("self");
  const { declared } = node.out();
  if (declared === self.declared) return self;
  return roundTo(g, roundTo(g, self, self.declared), declared);
};

function roundTo(g: Emitter, x: Val, declared: DType): Val {
  const isHalf = declared === "float16" || declared === "bfloat16";
  return isHalf ? g.cast(g.cast(x, declared), "float32") : x;
}

const UNARY: Readonly<Record<string, string>> = {
  acos: "Acos",
  acosh: "Acosh",
  asin: "Asin",
  asinh: "Asinh",
  atan: "Atan",
  atanh: "Atanh",
  cos: "Cos",
  cosh: "Cosh",
  erf: "Erf",
  exp: "Exp",
  log: "Log",
  neg: "Neg",
  reciprocal: "Reciprocal",
  sigmoid: "Sigmoid",
  sin: "Sin",
  sinh: "Sinh",
  sqrt: "Sqrt",
  tan: "Tan",
  tanh: "Tanh",
  abs: "Abs",
};

const BOTH = ["Tensor", "Scalar"];

export const ELEMENTWISE: LoweringTable = {
  ...Object.fromEntries(Object.entries(UNARY).map(([op, type]) => [`aten.${op}.default`, unary(type)])),
  ...all("add", add, BOTH),
  ...all("sub", sub, BOTH),
  ...all("rsub", rsub, BOTH),
  ...all("mul", mul, BOTH),
  ...all("div", div, BOTH),
  ...all("div", divMode, ["Tensor_mode", "Scalar_mode"]),
  ...all("true_divide", div, BOTH),
  ...all("floor_divide", floorDivideOp, ["default", "Scalar"]),
  ...all("remainder", remainder, ["Tensor", "Scalar", "Scalar_Tensor"]),
  ...all("fmod", fmod, BOTH),
  ...all("pow", pow, ["Tensor_Tensor", "Tensor_Scalar", "Scalar"]),
  ...all("clamp", clamp, ["default", "Tensor"]),
  ...all("clamp_min", clamp, ["default", "Tensor"]),
  ...all("clamp_max", clamp, ["default", "Tensor"]),
  "aten.maximum.default": extreme("Max"),
  "aten.minimum.default": extreme("Min"),
  "aten.max.other": extreme("Max"),
  "aten.min.other": extreme("Min"),
  "aten.rsqrt.default": rsqrt,
  "aten.square.default": square,
  "aten.floor.default": rounding("Floor"),
  "aten.ceil.default": rounding("Ceil"),
  "aten.round.default": rounding("Round"),
  "aten.trunc.default": trunc,
  "aten.sign.default": sign,
  "aten.sgn.default": sign,
  "aten.log2.default": logarithm(2),
  "aten.log10.default": logarithm(10),
  "aten.addcmul.default": fused("Mul"),
  "aten.addcdiv.default": fused("Div"),
  "aten.alias.default": identity,
  "aten.clone.default": identity,
  "aten.contiguous.default": identity,
  "aten.detach.default": identity,
  "aten.lift_fresh_copy.default": identity,
  "aten._to_copy.default": to,
  "aten.type_as.default": to,
  ...all("to", to, ["dtype", "device", "dtype_layout", "other"]),
};

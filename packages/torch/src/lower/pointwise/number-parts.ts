import type { DType } from "../../dtype.ts";
import { promoted } from "../comparison/comparison.ts";
import type { Emitter } from "../core/emitter.ts";
import { all, type Lowering, type LoweringTable } from "../core/lowering.ts";
import { isFloat, type Val } from "../core/tensor.ts";
import { unsupported } from "../core/unsupported.ts";
import { copySign, largest, signBit } from "./float-math.ts";

/** aten::signbit(Tensor self) -> Tensor */
export const signbit: Lowering = (node, g) => {
  const self = node.tensor("self");
  return self.dtype === "bool" ? g.expand(g.scalar("bool", 0), self.dims) : signBit(g, self);
};

/** aten::copysign.Tensor(Tensor self, Tensor other) -> Tensor */
export const copysign: Lowering = (node, g) => {
  const { dtype } = node.out();
  return copySign(g, g.as(node.operand("self"), dtype), g.as(node.operand("other"), dtype));
};

/** aten::isfinite(Tensor self) -> Tensor */
export const finite: Lowering = (node, g) => {
  const self = node.tensor("self");
  if (!isFloat(self.dtype)) return g.expand(g.scalar("bool", 1), self.dims);
  return g.op("Not", [g.op("Or", [g.op("IsNaN", [self]), g.op("IsInf", [self])])]);
};

/** aten::isnan(Tensor self) -> Tensor */
function floatTest(type: "IsNaN" | "IsInf"): Lowering {
  return (node, g) => {
    const self = node.tensor("self");
    return isFloat(self.dtype) ? g.op(type, [self]) : g.expand(g.scalar("bool", 0), self.dims);
  };
}

/** aten::isposinf(Tensor self) -> Tensor, aten::isneginf(Tensor self) -> Tensor */
function infinite(sign: "positive" | "negative"): Lowering {
  return (node, g) => {
    const self = node.tensor("self");
    if (!isFloat(self.dtype)) return g.expand(g.scalar("bool", 0), self.dims);
    const other = sign === "positive" ? "detect_negative" : "detect_positive";
    return g.op("IsInf", [self], { [other]: 0 });
  };
}

/** aten::nan_to_num(Tensor self, float? nan=None, float? posinf=None, float? neginf=None) -> Tensor */
export const nanToNum: Lowering = (node, g) => {
  const self = node.tensor("self");
  const { dtype, declared } = node.out();
  if (!isFloat(dtype)) return self;
  const replace = (x: Val, where: Val, value: number): Val => g.where(where, g.scalar(dtype, value), x);
  const limit = largest(declared);
  const high = node.optionalFloat("posinf") ?? limit;
  const low = node.optionalFloat("neginf") ?? -limit;
  const number = replace(self, g.op("IsNaN", [self]), node.optionalFloat("nan") ?? 0);
  const bounded = replace(number, g.op("IsInf", [self], { detect_negative: 0 }), high);
  return replace(bounded, g.op("IsInf", [self], { detect_positive: 0 }), low);
};

/** aten::heaviside(Tensor self, Tensor values) -> Tensor: 0, `values` or 1 where self is negative, zero or positive. NaN gives 0. */
export const heaviside: Lowering = (node, g) => {
  const { dtype } = node.out();
  const compared = dtype === "bool" ? "int32" : dtype;
  const [self, values] = [g.as(node.operand("self"), compared), g.as(node.operand("values"), compared)];
  const zero = g.scalar(compared, 0);
  const step = g.cast(g.op("Greater", [self, zero]), compared);
  return g.cast(g.where(g.op("Equal", [self, zero]), values, step), dtype);
};

/** aten::frac(Tensor self) -> Tensor: what is behind the point, with self's sign */
export const frac: Lowering = (node, g) => {
  const self = node.tensor("self");
  if (!isFloat(self.dtype)) return g.op("Sub", [self, self]);
  const whole = g.op("Floor", [g.op("Abs", [self])]);
  return g.op("Sub", [self, g.where(signBit(g, self), g.op("Neg", [whole]), whole)]);
};

/** aten::round.decimals(Tensor self, *, int decimals) -> Tensor */
export const roundDecimals: Lowering = (node, g) => {
  const self = node.tensor("self");
  const decimals = node.int("decimals");
  if (!isFloat(self.dtype)) return decimals >= 0 ? self : unsupported("integers rounded to tens");
  if (decimals === 0) return g.op("Round", [self]);
  const power = g.scalar(self.dtype, 10 ** Math.abs(decimals));
  const [up, down] = decimals > 0 ? (["Mul", "Div"] as const) : (["Div", "Mul"] as const);
  return g.op(down, [g.op("Round", [g.op(up, [self, power])]), power]);
};

/** aten::fmax(Tensor self, Tensor other) -> Tensor: a number wins over NaN */
function numberWins(type: "Max" | "Min"): Lowering {
  return (node, g) => {
    const { dtype } = node.out();
    const [a, b] = [g.as(node.operand("self"), dtype), g.as(node.operand("other"), dtype)];
    if (dtype === "bool") return g.op(type === "Max" ? "Or" : "And", [a, b]);
    const extreme = g.op(type, [a, b]);
    if (!isFloat(dtype)) return extreme;
    return g.where(g.op("IsNaN", [a]), b, g.where(g.op("IsNaN", [b]), a, extreme));
  };
}

/** aten::hypot(Tensor self, Tensor other) -> Tensor */
export const hypot: Lowering = (node, g) => {
  const { dtype } = node.out();
  return magnitude(g, g.as(node.operand("self"), dtype), g.as(node.operand("other"), dtype));
};

/** √(x² + y²), scaled by the larger one, so that squares do not overflow. */
export function magnitude(g: Emitter, x: Val, y: Val): Val {
  const { dtype } = x;
  const [a, b] = [g.op("Abs", [x]), g.op("Abs", [y])];
  const [high, low] = [g.op("Max", [a, b]), g.op("Min", [a, b])];
  const ratio = g.op("Div", [low, high]);
  const root = g.op("Sqrt", [g.op("Add", [g.op("Mul", [ratio, ratio]), g.scalar(dtype, 1)])]);
  const isPlain = g.op("Equal", [high, g.scalar(dtype, 0)]);
  const finite = g.where(isPlain, high, g.op("Mul", [high, root]));
  const isInfinite = g.op("Or", [g.op("IsInf", [a]), g.op("IsInf", [b])]);
  return g.where(isInfinite, g.scalar(dtype, Number.POSITIVE_INFINITY), finite);
}

/** aten::atan2(Tensor self, Tensor other) -> Tensor */
export const atan2: Lowering = (node, g) => {
  const { dtype } = node.out();
  return angleOf(g, g.as(node.operand("other"), dtype), g.as(node.operand("self"), dtype));
};

/** The angle of the point (x, y), signs of zeros included. */
export function angleOf(g: Emitter, x: Val, y: Val): Val {
  const { dtype } = x;
  const [height, width] = [g.op("Abs", [y]), g.op("Abs", [x])];
  const isDiagonal = g.op("And", [g.op("IsInf", [x]), g.op("IsInf", [y])]);
  const isOrigin = g.op("Equal", [g.op("Add", [height, width]), g.scalar(dtype, 0)]);
  const slope = g.where(isDiagonal, g.scalar(dtype, 1), g.op("Div", [height, width]));
  const acute = g.op("Atan", [g.where(isOrigin, g.scalar(dtype, 0), slope)]);
  const angle = g.where(signBit(g, x), g.op("Sub", [g.scalar(dtype, Math.PI), acute]), acute);
  return g.where(signBit(g, y), g.op("Neg", [angle]), angle);
}

/** aten::angle(Tensor self) -> Tensor of a real number: π where it is negative */
export const angle: Lowering = (node, g) => {
  const { dtype } = node.out();
  const self = g.cast(node.tensor("self"), dtype);
  const side = g.where(
    g.op("Less", [self, g.scalar(dtype, 0)]),
    g.scalar(dtype, Math.PI),
    g.scalar(dtype, 0),
  );
  return g.where(g.op("IsNaN", [self]), self, side);
};

/** aten::lerp.Tensor(Tensor self, Tensor end, Tensor weight) -> Tensor: from the nearer end, as PyTorch does */
export const lerp: Lowering = (node, g) => {
  const { dtype } = node.out();
  const [start, end, weight] = ["self", "end", "weight"].map((name) => g.as(node.operand(name), dtype)) as [
    Val,
    Val,
    Val,
  ];
  const way = g.op("Sub", [end, start]);
  const rest = g.op("Sub", [g.scalar(dtype, 1), weight]);
  return g.where(
    g.op("Less", [g.op("Abs", [weight]), g.scalar(dtype, 0.5)]),
    g.op("Add", [start, g.op("Mul", [weight, way])]),
    g.op("Sub", [end, g.op("Mul", [way, rest])]),
  );
};

/** aten::isclose(Tensor self, Tensor other, float rtol=1e-05, float atol=1e-08, bool equal_nan=False) -> Tensor */
export const isClose: Lowering = (node, g) => {
  const [a, b] = promoted(g, [node.operand("self"), node.operand("other")]) as [Val, Val];
  const same = g.op("Equal", [a, b]);
  const [rtol, atol] = [node.float("rtol"), node.float("atol")];
  const dtype: DType = isFloat(a.dtype) ? a.dtype : "float32";
  const [x, y] = [g.cast(a, dtype), g.cast(b, dtype)];
  const bothNan = g.op("And", [g.op("IsNaN", [x]), g.op("IsNaN", [y])]);
  const equal = node.bool("equal_nan") ? g.op("Or", [same, bothNan]) : same;
  if (rtol === 0 && atol === 0) return equal;
  const allowed = g.op("Add", [
    g.op("Abs", [g.op("Mul", [y, g.scalar(dtype, rtol)])]),
    g.scalar(dtype, atol),
  ]);
  const error = g.op("Abs", [g.op("Sub", [x, y])]);
  const near = g.op("And", [g.op("LessOrEqual", [error, allowed]), g.op("Not", [g.op("IsInf", [error])])]);
  return g.op("Or", [equal, near]);
};

/** Powers of two as they wrap in 64 bits. */
const POWERS = Array.from({ length: 64 }, (_, i) => BigInt.asIntN(64, 1n << BigInt(i)));

function bitsOf(dtype: DType): number {
  return Number(dtype.replace(/^u?int/, ""));
}

/** aten::bitwise_left_shift.Tensor(Tensor self, Tensor other) -> Tensor. Shifts past the width give 0, as do negative ones. */
export const leftShift: Lowering = (node, g) => {
  const { dtype } = node.out();
  const [x, by] = [g.as(node.operand("self"), dtype), g.as(node.operand("other"), dtype)];
  if (isFloat(dtype)) return g.op("Mul", [x, g.op("Pow", [g.scalar(dtype, 2), by])]);
  const shifted = g.op("Mul", [g.cast(x, "int64"), power(g, by)]);
  return g.cast(g.where(isInRange(g, by, bitsOf(dtype)), shifted, g.scalar("int64", 0)), dtype);
};

/** aten::bitwise_right_shift.Tensor(Tensor self, Tensor other) -> Tensor: the sign is kept */
export const rightShift: Lowering = (node, g) => {
  const { dtype } = node.out();
  const [x, by] = [g.as(node.operand("self"), dtype), g.as(node.operand("other"), dtype)];
  if (isFloat(dtype)) return g.op("Div", [x, g.op("Pow", [g.scalar(dtype, 2), by])]);
  const wide = g.cast(x, "int64");
  const divisor = power(g, by);
  const floor = g.op("Div", [g.op("Sub", [wide, g.op("Mod", [wide, divisor], { fmod: 0 })]), divisor]);
  const sign = g.where(
    g.op("Less", [wide, g.scalar("int64", 0)]),
    g.scalar("int64", -1),
    g.scalar("int64", 0),
  );
  return g.cast(g.where(isInRange(g, by, Math.min(bitsOf(dtype), 63)), floor, sign), dtype);
};

/** 2^by, with by cut to what 64 bits have. */
function power(g: Emitter, by: Val): Val {
  const wide = g.cast(by, "int64");
  const cut = g.op("Min", [g.op("Max", [wide, g.scalar("int64", 0)]), g.scalar("int64", 63)]);
  return g.op("Gather", [g.constant("int64", POWERS, [64]), cut], { axis: 0 });
}

function isInRange(g: Emitter, by: Val, bits: number): Val {
  const wide = g.cast(by, "int64");
  return g.op("And", [
    g.op("GreaterOrEqual", [wide, g.scalar("int64", 0)]),
    g.op("Less", [wide, g.scalar("int64", bits)]),
  ]);
}

const SHIFTS = ["Tensor", "Tensor_Scalar", "Scalar_Tensor"];

export const NUMBER_PARTS: LoweringTable = {
  "aten.signbit.default": signbit,
  ...all("copysign", copysign, ["Tensor", "Scalar"]),
  "aten.isfinite.default": finite,
  "aten.isnan.default": floatTest("IsNaN"),
  "aten.isinf.default": floatTest("IsInf"),
  "aten.isposinf.default": infinite("positive"),
  "aten.isneginf.default": infinite("negative"),
  "aten.nan_to_num.default": nanToNum,
  "aten.heaviside.default": heaviside,
  "aten.frac.default": frac,
  "aten.round.decimals": roundDecimals,
  "aten.fmax.default": numberWins("Max"),
  "aten.fmin.default": numberWins("Min"),
  "aten.hypot.default": hypot,
  "aten.atan2.default": atan2,
  "aten.arctan2.default": atan2,
  "aten.angle.default": angle,
  ...all("lerp", lerp, ["Tensor", "Scalar"]),
  "aten.isclose.default": isClose,
  ...all("bitwise_left_shift", leftShift, SHIFTS),
  ...all("bitwise_right_shift", rightShift, SHIFTS),
  ...all("__lshift__", leftShift, ["Tensor", "Scalar"]),
  ...all("__rshift__", rightShift, ["Tensor", "Scalar"]),
};

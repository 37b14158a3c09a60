import type { DType } from "../../dtype.ts";
import type { Emitter } from "../core/emitter.ts";
import { all, type Lowering, type LoweringTable } from "../core/lowering.ts";
import { isFloat, type Val } from "../core/tensor.ts";

const BOTH = ["Tensor", "Scalar"];

/**
 * aten::bitwise_and.Tensor(Tensor self, Tensor other) -> Tensor
 * aten::__and__.Scalar(Tensor self, Scalar other) -> Tensor
 * aten::__and__.Tensor(Tensor self, Tensor other) -> Tensor
 * aten::__or__.Scalar(Tensor self, Scalar other) -> Tensor
 * aten::__or__.Tensor(Tensor self, Tensor other) -> Tensor
 * aten::__xor__.Scalar(Tensor self, Scalar other) -> Tensor
 * aten::__xor__.Tensor(Tensor self, Tensor other) -> Tensor
 * aten::bitwise_and.Scalar(Tensor self, Scalar other) -> Tensor
 * aten::bitwise_or.Scalar(Tensor self, Scalar other) -> Tensor
 * aten::bitwise_or.Tensor(Tensor self, Tensor other) -> Tensor
 * aten::bitwise_xor.Scalar(Tensor self, Scalar other) -> Tensor
 * aten::bitwise_xor.Tensor(Tensor self, Tensor other) -> Tensor
 *
 * Logical on booleans.
 */
function bitwise(type: "And" | "Or" | "Xor"): Lowering {
  return (node, g) => {
    const { dtype } = node.out();
    const operands = [g.as(node.operand("self"), dtype), g.as(node.operand("other"), dtype)];
    return g.op(dtype === "bool" ? type : `Bitwise${type}`, operands);
  };
}

/** aten::bitwise_not(Tensor self) -> Tensor */
export const bitwiseNot: Lowering = (node, g) => {
  const self = node.tensor("self");
  return g.op(self.dtype === "bool" ? "Not" : "BitwiseNot", [self]);
};

/** Powers of two as they wrap in 64 bits. */
const POWERS = Array.from({ length: 64 }, (_, i) => BigInt.asIntN(64, 1n << BigInt(i)));

function bitsOf(dtype: DType): number {
  return Number(dtype.replace(/^u?int/, ""));
}

/**
 * aten::bitwise_left_shift.Tensor(Tensor self, Tensor other) -> Tensor
 * aten::__lshift__.Scalar(Tensor self, Scalar other) -> Tensor
 * aten::__lshift__.Tensor(Tensor self, Tensor other) -> Tensor
 * aten::bitwise_left_shift.Scalar_Tensor(Scalar self, Tensor other) -> Tensor
 * aten::bitwise_left_shift.Tensor_Scalar(Tensor self, Scalar other) -> Tensor
 *
 * Shifts past the width give 0, as do negative ones.
 */
export const leftShift: Lowering = (node, g) => {
  const { dtype } = node.out();
  const [x, by] = [g.as(node.operand("self"), dtype), g.as(node.operand("other"), dtype)];
  if (isFloat(dtype)) return g.op("Mul", [x, g.op("Pow", [g.scalar(dtype, 2), by])]);
  const shifted = g.op("Mul", [g.cast(x, "int64"), power(g, by)]);
  return g.cast(g.where(isInRange(g, by, bitsOf(dtype)), shifted, g.scalar("int64", 0)), dtype);
};

/**
 * aten::bitwise_right_shift.Tensor(Tensor self, Tensor other) -> Tensor
 * aten::__rshift__.Scalar(Tensor self, Scalar other) -> Tensor
 * aten::__rshift__.Tensor(Tensor self, Tensor other) -> Tensor
 * aten::bitwise_right_shift.Scalar_Tensor(Scalar self, Tensor other) -> Tensor
 * aten::bitwise_right_shift.Tensor_Scalar(Tensor self, Scalar other) -> Tensor
 *
 * The sign is kept.
 */
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
export function power(g: Emitter, by: Val): Val {
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

export const BITWISE: LoweringTable = {
  ...all("bitwise_and", bitwise("And"), BOTH),
  ...all("bitwise_or", bitwise("Or"), BOTH),
  ...all("bitwise_xor", bitwise("Xor"), BOTH),
  ...all("__and__", bitwise("And"), BOTH),
  ...all("__or__", bitwise("Or"), BOTH),
  ...all("__xor__", bitwise("Xor"), BOTH),
  "aten.bitwise_not.default": bitwiseNot,
  ...all("bitwise_left_shift", leftShift, SHIFTS),
  ...all("bitwise_right_shift", rightShift, SHIFTS),
  ...all("__lshift__", leftShift, ["Tensor", "Scalar"]),
  ...all("__rshift__", rightShift, ["Tensor", "Scalar"]),
};

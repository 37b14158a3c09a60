import { signOf } from "../core/exact-integers.ts";
import { all, type Lowering, type LoweringTable } from "../core/lowering.ts";
import { isFloat, type Val } from "../core/tensor.ts";
import { copySign, largest, signBit } from "./float-math.ts";

/** aten::sign(Tensor self) -> Tensor. The sign of NaN is 0. */
export const sign: Lowering = (node, g) => {
  const self = node.tensor("self");
  if (self.dtype === "bool") return self;
  if (!isFloat(self.dtype)) return signOf(g, self);
  const zero = g.scalar(self.dtype, 0);
  return g.op("Where", [g.op("IsNaN", [self]), zero, g.op("Sign", [self])]);
};

/** aten::signbit(Tensor self) -> Tensor */
export const signbit: Lowering = (node, g) => {
  const self = node.tensor("self");
  return self.dtype === "bool" ? g.expand(g.scalar("bool", 0), self.dims) : signBit(g, self);
};

/**
 * aten::copysign.Tensor(Tensor self, Tensor other) -> Tensor
 * aten::copysign.Scalar(Tensor self, Scalar other) -> Tensor
 */
export const copysign: Lowering = (node, g) => {
  const { dtype } = node.out();
  return copySign(g, g.as(node.operand("self"), dtype), g.as(node.operand("other"), dtype));
};

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

export const SIGNS: LoweringTable = {
  "aten.sign.default": sign,
  "aten.sgn.default": sign,
  "aten.signbit.default": signbit,
  ...all("copysign", copysign, ["Tensor", "Scalar"]),
  "aten.nan_to_num.default": nanToNum,
  "aten.heaviside.default": heaviside,
};

import type { Lowering, LoweringTable } from "../core/lowering.ts";
import { floatBits, floatOf, splitUp } from "./float-bits.ts";

/**
 * aten::nextafter(Tensor self, Tensor other) -> Tensor
 *
 * The next number of the type on the way to the other one: one step in the bits of a number, which grow with its size.
 */
export const nextAfter: Lowering = (node, g) => {
  const { declared, dtype } = node.out();
  const [from, to] = [g.as(node.operand("self"), "float64"), g.as(node.operand("other"), "float64")];
  const [zero, one] = [g.scalar("float64", 0), g.scalar("float64", 1)];
  const isNan = g.op("Or", [g.op("IsNaN", [from]), g.op("IsNaN", [to])]);
  // From 0 the first step is taken from the positive side, and its sign put on afterwards.
  const x = g.where(isNan, one, from);
  const size = g.cast(g.op("Abs", [x]), dtype);
  const isZero = g.op("Equal", [x, zero]);
  const isUp = g.op("Greater", [to, x]);
  const isPositive = g.where(isZero, isUp, g.op("Greater", [x, zero]));
  const grows = g.op("Or", [isZero, g.op("Equal", [g.cast(isUp, "int32"), g.cast(isPositive, "int32")])]);
  const bits = g.cast(floatBits(g, { ...g.typed(size, node.out().dims), declared }), "int64");
  const change = g.where(grows, g.scalar("int64", 1), g.scalar("int64", -1));
  const moved = g.cast(g.op("Add", [bits, change]), "uint64");
  const step = g.cast(floatOf(g, moved, { declared, dtype }), "float64");
  const signed = g.where(isPositive, step, g.op("Neg", [step]));
  const next = g.where(g.op("Equal", [to, x]), to, signed);
  return g.cast(g.where(isNan, g.scalar("float64", Number.NaN), next), dtype);
};

/**
 * aten::frexp.Tensor(Tensor self) -> (Tensor mantissa, Tensor exponent)
 *
 * A number as mantissa · 2^exponent, the mantissa at least 1/2 and less than 1; 0, infinities and NaN as they are, with exponent 0.
 */
export const frexp: Lowering = (node, g) => {
  const self = g.cast(node.tensor("self"), "float64");
  const [zero, one] = [g.scalar("float64", 0), g.scalar("float64", 1)];
  const isOdd = g.op("Or", [
    g.op("Equal", [self, zero]),
    g.op("Or", [g.op("IsInf", [self]), g.op("IsNaN", [self])]),
  ]);
  const size = g.op("Abs", [g.where(isOdd, one, self)]);
  const { significand, exponent } = splitUp(g, size);
  const half = g.op("Mul", [significand, g.scalar("float64", 0.5)]);
  const signed = g.where(g.op("Less", [self, zero]), g.op("Neg", [half]), half);
  return [g.where(isOdd, self, signed), g.cast(g.where(isOdd, zero, g.op("Add", [exponent, one])), "int32")];
};

export const NEIGHBOURS: LoweringTable = {
  "aten.nextafter.default": nextAfter,
  "aten.frexp.Tensor": frexp,
};

import type { Emitter } from "../core/emitter.ts";
import { extremeOf } from "../core/exact-integers.ts";
import { isTensor, type Operand, type Val } from "../core/tensor.ts";

/** Bits of an exponent that is not negative. */
const BITS: Readonly<Record<string, number>> = { uint8: 8, int8: 7, int16: 15, int32: 31, int64: 63 };

/**
 * Powers of integers, which wrap as PyTorch's do; ONNX Runtime's Pow goes over doubles, which are not exact past 2^53. A negative
 * exponent leaves 1, -1 or 0.
 */
export function integerPower(g: Emitter, base: Val, exponent: Operand): Val {
  const { dtype } = base;
  if (!isTensor(exponent) && typeof exponent.value === "number" && exponent.value >= 0) {
    return constantPower(g, base, exponent.value);
  }
  const given = g.as(exponent, dtype);
  const [zero, one, two] = [0, 1, 2].map((value) => g.scalar(dtype, value)) as [Val, Val, Val];
  let rest = extremeOf(g, "Max", [given, zero]);
  let [result, square] = [g.op("Add", [g.op("Mul", [given, zero]), one]), base];
  for (let bit = 0; bit < BITS[dtype]!; bit++) {
    if (bit > 0) square = g.op("Mul", [square, square]);
    const isSet = g.cast(g.op("Mod", [rest, two], { fmod: 0 }), "bool");
    result = g.op("Mul", [result, g.where(isSet, square, one)]);
    rest = g.op("Div", [rest, two]);
  }
  if (dtype === "uint8") return result;
  return g.where(g.op("Less", [given, zero]), inverse(g, base, given), result);
}

/** By squaring. */
function constantPower(g: Emitter, base: Val, exponent: number): Val {
  let result: Val | undefined;
  let square = base;
  for (let rest = exponent; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) result = result === undefined ? square : g.op("Mul", [result, square]);
    if (rest > 1) square = g.op("Mul", [square, square]);
  }
  if (result !== undefined) return result;
  const zero = g.op("Sub", [base, base]);
  return g.op("Add", [zero, g.scalar(base.dtype, 1)]);
}

/** base^exponent for exponents below 0, cut to an integer. */
function inverse(g: Emitter, base: Val, exponent: Val): Val {
  const [zero, one, two, minusOne] = [0, 1, 2, -1].map((value) => g.scalar(base.dtype, value)) as [
    Val,
    Val,
    Val,
    Val,
  ];
  const isOdd = g.cast(g.op("Mod", [exponent, two], { fmod: 0 }), "bool");
  const ofMinusOne = g.where(isOdd, minusOne, one);
  const other = g.where(g.op("Equal", [base, minusOne]), ofMinusOne, zero);
  return g.where(g.op("Equal", [base, one]), one, other);
}

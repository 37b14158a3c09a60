import type { DType } from "../../dtype.ts";
import type { Emitter } from "../core/emitter.ts";
import { requirement } from "../core/requirement.ts";
import type { Tensor, Val } from "../core/tensor.ts";
import { unsupported } from "../core/unsupported.ts";

/** How a float is made of bits: a sign, an exponent, a mantissa. */
interface Format {
  readonly mantissa: number;
  readonly bias: number;
}

const FORMATS: Partial<Record<DType, Format>> = {
  float16: { mantissa: 10, bias: 15 },
  bfloat16: { mantissa: 7, bias: 127 },
  float32: { mantissa: 23, bias: 127 },
  float64: { mantissa: 52, bias: 1023 },
};

const ONE = 1n;

export function uint64(g: Emitter, value: number | bigint): Val {
  return g.scalar("uint64", value);
}

export function shifted(
  g: Emitter,
  x: Val,
  { by, direction }: { by: Val; direction: "LEFT" | "RIGHT" },
): Val {
  return g.op("BitShift", [x, by], { direction });
}

export function masked(g: Emitter, x: Val, width: number): Val {
  return width === 64 ? x : g.op("BitwiseAnd", [x, uint64(g, (ONE << BigInt(width)) - ONE)]);
}

/** 2 to the power of whole numbers, which is exact. */
function powerOfTwo(g: Emitter, exponent: Val): Val {
  return g.op("Pow", [g.scalar("float64", 2), exponent]);
}

/** The number of the declared type that the bits stand for. */
export function floatOf(
  g: Emitter,
  bits: Val,
  { declared, dtype }: { readonly declared: DType; readonly dtype: DType },
): Val {
  const { mantissa, bias } = FORMATS[declared] ?? unsupported(`the bits of ${declared}`);
  const width = exponentWidth({ mantissa, bias });
  const right = (by: number): Val => shifted(g, bits, { by: uint64(g, by), direction: "RIGHT" });
  const float = (val: Val): Val => g.cast(g.cast(val, "int64"), "float64");
  const fraction = float(masked(g, bits, mantissa));
  const exponent = float(masked(g, right(mantissa), width));
  const one = g.scalar("float64", 1);
  const isNegative = g.cast(masked(g, right(mantissa + width), 1), "bool");
  const isSmall = g.op("Equal", [exponent, g.scalar("float64", 0)]);
  const scaled = g.op("Mul", [fraction, g.scalar("float64", 2 ** -mantissa)]);
  const significand = g.where(isSmall, scaled, g.op("Add", [one, scaled]));
  const power = g.op("Sub", [g.where(isSmall, one, exponent), g.scalar("float64", bias)]);
  const finite = g.op("Mul", [significand, powerOfTwo(g, power)]);
  const isSpecial = g.op("Equal", [exponent, g.scalar("float64", 2 ** width - 1)]);
  const isWhole = g.op("Equal", [fraction, g.scalar("float64", 0)]);
  const special = g.where(
    isWhole,
    g.scalar("float64", Number.POSITIVE_INFINITY),
    g.scalar("float64", Number.NaN),
  );
  const value = g.where(isSpecial, special, finite);
  return g.cast(g.where(isNegative, g.op("Neg", [value]), value), dtype);
}

function exponentWidth({ bias }: Format): number {
  return Math.log2(bias + 1) + 1;
}

/** The bits of a float of the declared type, which is not NaN, as uint64. */
export function floatBits(g: Emitter, self: Tensor): Val {
  const format = FORMATS[self.declared] ?? unsupported(`the bits of ${self.declared}`);
  const { mantissa, bias } = format;
  const width = exponentWidth(format);
  const x = g.cast(g.cast(self, self.declared), "float64");
  const [zero, one] = [g.scalar("float64", 0), g.scalar("float64", 1)];
  const size = g.op("Abs", [x]);
  const isZero = g.op("Equal", [size, zero]);
  const isInfinite = g.op("IsInf", [size]);
  const isOdd = g.op("Or", [isZero, isInfinite]);
  const { significand, exponent } = splitUp(g, g.where(isOdd, one, size));
  const isSmall = g.op("Less", [exponent, g.scalar("float64", 1 - bias)]);
  const lowest = g.scalar("float64", 2 ** Math.min(mantissa + bias - 1, 1000));
  const rest = g.scalar("float64", 2 ** Math.max(mantissa + bias - 1 - 1000, 0));
  const small = g.op("Mul", [g.op("Mul", [size, lowest]), rest]);
  const normal = g.op("Mul", [g.op("Sub", [significand, one]), g.scalar("float64", 2 ** mantissa)]);
  const fraction = g.where(isOdd, zero, g.where(isSmall, small, normal));
  const biased = g.where(isSmall, zero, g.op("Add", [exponent, g.scalar("float64", bias)]));
  const highest = g.scalar("float64", 2 ** width - 1);
  const power = g.where(isZero, zero, g.where(isInfinite, highest, biased));
  const isNegative = g.op("Less", [g.where(isZero, g.op("Div", [one, x]), x), zero]);
  const whole = (val: Val): Val => g.cast(g.cast(val, "int64"), "uint64");
  const left = (val: Val, by: number): Val =>
    shifted(g, whole(val), { by: uint64(g, by), direction: "LEFT" });
  const sign = left(g.cast(isNegative, "float64"), mantissa + width);
  return g.op("BitwiseOr", [g.op("BitwiseOr", [sign, left(power, mantissa)]), whole(fraction)]);
}

/** A positive number as significand · 2^exponent, the significand at least 1 and less than 2. Exact. */
export function splitUp(g: Emitter, size: Val): { significand: Val; exponent: Val } {
  const one = g.scalar("float64", 1);
  const guess = g.op("Floor", [g.op("Div", [g.op("Log", [size]), g.scalar("float64", Math.LN2)])]);
  const half = g.op("Floor", [g.op("Mul", [guess, g.scalar("float64", 0.5)])]);
  const by = (power: Val): Val => powerOfTwo(g, g.op("Neg", [power]));
  const near = g.op("Mul", [g.op("Mul", [size, by(half)]), by(g.op("Sub", [guess, half]))]);
  const isAbove = g.op("GreaterOrEqual", [near, g.scalar("float64", 2)]);
  const isBelow = g.op("Less", [near, one]);
  const change = g.where(isAbove, one, g.where(isBelow, g.scalar("float64", -1), g.scalar("float64", 0)));
  return { significand: g.op("Mul", [near, by(change)]), exponent: g.op("Add", [guess, change]) };
}

/** A float tensor as float64, in a run that fails where it holds NaN: its many forms are one to ONNX. */
export function withoutNan(g: Emitter, x: Val): Val {
  const wide = g.cast(x, "float64");
  const guard = requirement(g, "numbers", g.op("IsNaN", [wide]));
  return g.where(g.cast(guard, "bool"), g.op("Neg", [wide]), wide);
}

import type { DType } from "../../dtype.ts";
import { type Dim, sym } from "../../graph/sym.ts";
import type { Emitter } from "../core/emitter.ts";
import type { Lowering, LoweringTable } from "../core/lowering.ts";
import { requirement } from "../core/requirement.ts";
import { isFloat, type Tensor, type Val } from "../core/tensor.ts";
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

const BYTES: Partial<Record<DType, number>> = {
  bool: 1,
  int8: 1,
  uint8: 1,
  int16: 2,
  uint16: 2,
  float16: 2,
  bfloat16: 2,
  int32: 4,
  uint32: 4,
  float32: 4,
  int64: 8,
  uint64: 8,
  float64: 8,
};

function bytesOf(dtype: DType): number {
  return BYTES[dtype] ?? unsupported(`the bits of ${dtype}`);
}

const ONE = 1n;

/**
 * aten::view.dtype(Tensor(a) self, ScalarType dtype) -> Tensor(a)
 *
 * The same bits read as another type. ONNX Runtime has no such op, so they are calculated, in uint64. NaN has many forms, and a value does
 * not tell which one it is: a run that reads the bits of one fails.
 */
export const viewAsType: Lowering = (node, g) => {
  const self = node.tensor("self");
  const { declared: to, dims, dtype } = node.out();
  if (to === self.declared) return self;
  const [from, size] = [bytesOf(self.declared), bytesOf(to)];
  const bits = isFloat(self.declared) ? floatBits(g, self) : integerBits(g, self, from);
  const placed =
    size < from ? divided(g, bits, { from, size, dims }) : joined(g, { ...self, ...bits }, { from, size });
  return isFloat(to) ? floatOf(g, placed, FORMATS[to]!, dtype) : g.cast(placed, to);
};

function uint64(g: Emitter, value: number | bigint): Val {
  return g.scalar("uint64", value);
}

function shifted(g: Emitter, x: Val, { by, direction }: { by: Val; direction: "LEFT" | "RIGHT" }): Val {
  return g.op("BitShift", [x, by], { direction });
}

function masked(g: Emitter, x: Val, width: number): Val {
  return width === 64 ? x : g.op("BitwiseAnd", [x, uint64(g, (ONE << BigInt(width)) - ONE)]);
}

function integerBits(g: Emitter, self: Tensor, bytes: number): Val {
  return masked(g, g.cast(self, "uint64"), 8 * bytes);
}

interface Sizes {
  readonly from: number;
  readonly size: number;
}

/** Each number as several smaller ones, the lowest bits first. */
function divided(
  g: Emitter,
  bits: Val,
  { from, size, dims }: Sizes & { readonly dims: readonly Dim[] },
): Val {
  const count = from / size;
  const places = g.constant(
    "uint64",
    Array.from({ length: count }, (_, i) => 8 * size * i),
    [count],
  );
  const parts = shifted(g, g.unsqueeze(bits, [-1]), { by: places, direction: "RIGHT" });
  return g.reshape(masked(g, parts, 8 * size), dims);
}

/** Several numbers as one larger one. */
function joined(g: Emitter, bits: Tensor, { from, size }: Sizes): Val {
  if (from === size) return bits;
  const count = size / from;
  const last = bits.dims.at(-1) ?? unsupported("a tensor without dimensions");
  const apart = g.reshape(bits, [...bits.dims.slice(0, -1), sym("floordiv", last, count), count]);
  const parts = g.ops("Split", [apart], { count, attributes: { axis: -1, num_outputs: count } });
  const whole = parts
    .map((part, i) => shifted(g, part, { by: uint64(g, 8 * from * i), direction: "LEFT" }))
    .reduce((a, b) => g.op("BitwiseOr", [a, b]));
  return g.squeeze(whole, [-1]);
}

/** 2 to the power of whole numbers, which is exact. */
function powerOfTwo(g: Emitter, exponent: Val): Val {
  return g.op("Pow", [g.scalar("float64", 2), exponent]);
}

/** The number that the bits stand for. */
function floatOf(g: Emitter, bits: Val, { mantissa, bias }: Format, dtype: DType): Val {
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

/** The bits of a float of the declared type. */
function floatBits(g: Emitter, self: Tensor): Val {
  const format = FORMATS[self.declared] ?? unsupported(`the bits of ${self.declared}`);
  const { mantissa, bias } = format;
  const width = exponentWidth(format);
  const x = g.cast(withoutNan(g, g.cast(self, self.declared)), "float64");
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
function splitUp(g: Emitter, size: Val): { significand: Val; exponent: Val } {
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

function withoutNan(g: Emitter, x: Val): Val {
  const wide = g.cast(x, "float64");
  const guard = requirement(g, "numbers", g.op("IsNaN", [wide]));
  return g.where(g.cast(guard, "bool"), g.op("Neg", [wide]), wide);
}

export const BIT_VIEWS: LoweringTable = {
  "aten.view.dtype": viewAsType,
};

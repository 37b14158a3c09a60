import { product } from "../../graph/sym.ts";
import type { Emitter } from "./emitter.ts";
import { flatten, fold, type Reduced, restore } from "./fold.ts";
import { mayBeZero } from "./nothing.ts";
import type { Tensor, Val } from "./tensor.ts";

/**
 * Integers that ONNX Runtime's CPU kernels (1.30) get wrong, calculated from ops that are right. Measured: Max, Min and Sign of int64 compare
 * the lower halves with their sign (max(2147483647, 2147483648) is 2147483647); ReduceSum, ReduceProd and Mod with fmod=1 of int64 go
 * through doubles, so they round beyond 2^53 and saturate where PyTorch wraps.
 */

/** The larger or smaller of two values of one type. NaN wins. */
export function extremeOf(g: Emitter, type: "Max" | "Min", [a, b]: readonly [Val, Val]): Val {
  if (a.dtype === "bool") return g.op(type === "Max" ? "Or" : "And", [a, b]);
  if (a.dtype !== "int64" && a.dtype !== "uint64") return g.op(type, [a, b]);
  return g.where(g.op(type === "Max" ? "Greater" : "Less", [a, b]), a, b);
}

/** -1, 0 or 1 of an integer. */
export function signOf(g: Emitter, x: Val): Val {
  if (x.dtype !== "int64") return g.op("Sign", [x]);
  const zero = g.scalar("int64", 0);
  const [isPositive, isNegative] = [g.op("Greater", [x, zero]), g.op("Less", [x, zero])];
  return g.op("Sub", [g.cast(isPositive, "int64"), g.cast(isNegative, "int64")]);
}

/** A divisor as it is, or with 1 for -1: the least number divided by -1 ends the process, as it ends PyTorch's. */
export function safeDivisor(g: Emitter, b: Val): Val {
  const isRisky = b.dtype === "int32" || b.dtype === "int64";
  const isKnown = g.builder.isScalarConstant(b.name) && b.name !== g.scalar(b.dtype, -1).name;
  if (!isRisky || isKnown) return b;
  return g.where(isMinusOne(g, b), g.scalar(b.dtype, 1), b);
}

function isMinusOne(g: Emitter, b: Val): Val {
  return g.op("Equal", [b, g.scalar(b.dtype, -1)]);
}

/** The remainder with the dividend's sign. */
export function truncatedRemainder(g: Emitter, a: Val, b: Val): Val {
  if (a.dtype !== "int64") return g.op("Mod", [a, b], { fmod: 1 });
  const divisor = safeDivisor(g, b);
  return g.op("Sub", [a, g.op("Mul", [g.op("Div", [a, divisor]), divisor])]);
}

/** The quotient of integers, cut. The least number divided by -1 is itself. */
export function truncatedQuotient(g: Emitter, a: Val, b: Val): Val {
  const divisor = safeDivisor(g, b);
  const quotient = g.op("Div", [a, divisor]);
  return divisor === b ? quotient : g.where(isMinusOne(g, b), g.op("Neg", [quotient]), quotient);
}

/** The quotient of integers, rounded down. */
export function flooredQuotient(g: Emitter, a: Val, b: Val): Val {
  const quotient = truncatedQuotient(g, a, b);
  if (a.dtype.startsWith("uint")) return quotient;
  const zero = g.scalar(a.dtype, 0);
  const rest = g.op("Sub", [a, g.op("Mul", [quotient, b])]);
  const hasRest = g.op("Not", [g.op("Equal", [rest, zero])]);
  const signsDiffer = g.op("Xor", [g.op("Less", [rest, zero]), g.op("Less", [b, zero])]);
  return g.op("Sub", [quotient, g.cast(g.op("And", [hasRest, signsDiffer]), a.dtype)]);
}

/** The sum of int64 over `axes`, wrapping as PyTorch's: a product with a vector of ones. */
export function int64Sum(g: Emitter, x: Tensor, how: Reduced): Val {
  const { flat, dims } = flatten(g, x, how.axes);
  const ones = g.expand(g.constant("int64", [1], [1]), dims.slice(-1));
  const kept = dims.slice(0, -1);
  // ONNX Runtime does not multiply nothing with a vector.
  if (!kept.some((dim) => mayBeZero(g, dim))) return restore(g, g.op("MatMul", [flat, ones]), how);
  const matrix = g.reshape(flat, [product(kept), dims.at(-1)!]);
  return restore(g, g.reshape(g.op("MatMul", [matrix, g.unsqueeze(ones, [1])]), kept), how);
}

/** The product of int64 over `axes`, wrapping as PyTorch's. */
export function int64Product(g: Emitter, x: Tensor, how: Reduced): Val {
  return fold(g, x, how, { type: "Mul", neutral: 1 });
}

import type { Emitter } from "../core/emitter.ts";
import { isFloat, type Val } from "../core/tensor.ts";

/** Formulas that several families of ops share. Operands are floats. */

/** c[0]·x^n + … + c[n], by Horner's rule. */
export function polynomial(g: Emitter, x: Val, coefficients: readonly number[]): Val {
  const [first, ...rest] = coefficients.map((c) => g.scalar(x.dtype, c));
  return rest.reduce((sum, c) => g.op("Add", [g.op("Mul", [sum, x]), c]), first!);
}

/**
 * aten::log1p(Tensor self) -> Tensor
 *
 * log(1 + x), exact near 0: what rounding took from 1 + x is given back as a factor (Kahan).
 */
export function log1p(g: Emitter, x: Val): Val {
  const one = g.scalar(x.dtype, 1);
  const sum = g.op("Add", [x, one]);
  const log = g.op("Log", [sum]);
  const change = g.op("Sub", [sum, one]);
  const corrected = g.op("Mul", [log, g.op("Div", [x, change])]);
  const isPlain = g.op("Or", [g.op("IsInf", [sum]), g.op("IsInf", [log])]);
  return g.where(g.op("Equal", [sum, one]), x, g.where(isPlain, log, corrected));
}

/**
 * aten::expm1(Tensor self) -> Tensor
 *
 * exp(x) - 1, exact near 0 (Kahan).
 */
export function expm1(g: Emitter, x: Val): Val {
  const one = g.scalar(x.dtype, 1);
  const exp = g.op("Exp", [x]);
  const change = g.op("Sub", [exp, one]);
  const corrected = g.op("Mul", [change, g.op("Div", [x, g.op("Log", [exp])])]);
  // Far from 0 nothing is lost, and the logarithm of what is next to nothing is inexact.
  const isPlain = g.op("Greater", [g.op("Abs", [x]), one]);
  return g.where(g.op("Equal", [exp, one]), x, g.where(isPlain, change, corrected));
}

/** Whether a number is negative, -0 included. NaN counts as positive. */
export function signBit(g: Emitter, x: Val): Val {
  const zero = g.scalar(x.dtype, 0);
  const isBelow = g.op("Less", [x, zero]);
  if (!isFloat(x.dtype)) return isBelow;
  const isMinusZero = g.op("And", [
    g.op("Equal", [x, zero]),
    g.op("Less", [g.op("Div", [g.scalar(x.dtype, 1), x]), zero]),
  ]);
  return g.op("Or", [isBelow, isMinusZero]);
}

/** `x` with the sign of `sign`. */
export function copySign(g: Emitter, x: Val, sign: Val): Val {
  const size = g.op("Abs", [x]);
  return g.where(signBit(g, sign), g.op("Neg", [size]), size);
}

/** The largest finite number of a float type. */
export function largest(dtype: string): number {
  if (dtype === "float64") return Number.MAX_VALUE;
  if (dtype === "float16") return 65504;
  if (dtype === "bfloat16") return 3.3895313892515355e38;
  return 3.4028234663852886e38;
}

/**
 * The powers 0.5 and -0.5 of floats, undefined for others. PyTorch calculates them as roots: theirs of -Infinity are NaN, where Pow gives
 * Infinity and 0.
 */
export function rootOf(g: Emitter, x: Val, exponent: unknown): Val | undefined {
  if (exponent !== 0.5 && exponent !== -0.5) return undefined;
  const root = g.op("Sqrt", [x]);
  return exponent === 0.5 ? root : g.op("Reciprocal", [root]);
}

import { GUARD_OPS, type GuardOp } from "../base/signature.ts";

/** Operations as numbers, for tables. */
export const GUARD_CODES = Object.fromEntries(GUARD_OPS.map((op, code) => [op, code])) as Readonly<
  Record<GuardOp, number>
>;

/**
 * One operation as Python does it. NaN stands for an error that Python would raise: it passes through everything but the branches of
 * `and`, `or` and `ite` that Python does not look at.
 */
export function applyGuardOp(code: number, a: number, b: number, c: number): number {
  const op = GUARD_OPS[code]!;
  switch (op) {
    case "and":
      return a === 0 || Number.isNaN(a) ? a : b;
    case "or":
      return a !== 0 ? a : b;
    case "ite":
      return Number.isNaN(a) ? a : a !== 0 ? b : c;
    case "not":
      return Number.isNaN(a) ? a : Number(a === 0);
    case "eq":
    case "ne":
    case "lt":
    case "le":
    case "gt":
    case "ge":
      return Number.isNaN(a) || Number.isNaN(b) ? Number.NaN : Number(compare(op, a, b));
    default:
      return calculate(op, a, b);
  }
}

type Comparison = "eq" | "ne" | "lt" | "le" | "gt" | "ge";

function compare(op: Comparison, a: number, b: number): boolean {
  switch (op) {
    case "eq":
      return a === b;
    case "ne":
      return a !== b;
    case "lt":
      return a < b;
    case "le":
      return a <= b;
    case "gt":
      return a > b;
    case "ge":
      return a >= b;
  }
}

function calculate(
  op: Exclude<GuardOp, Comparison | "and" | "or" | "not" | "ite">,
  a: number,
  b: number,
): number {
  switch (op) {
    case "add":
      return a + b;
    case "sub":
      return a - b;
    case "mul":
      return a * b;
    case "truediv":
      return b === 0 ? Number.NaN : a / b;
    case "floordiv":
      return b === 0 ? Number.NaN : Math.floor(a / b);
    case "mod":
      return modulo(a, b);
    case "pow":
      return a === 0 && b < 0 ? Number.NaN : a ** b;
    case "max":
      return Math.max(a, b);
    case "min":
      return Math.min(a, b);
    case "abs":
      return Math.abs(a);
    case "floor":
      return Math.floor(a);
    case "ceil":
      return Math.ceil(a);
    case "trunc":
      return Math.trunc(a);
    case "round":
      return roundHalfEven(a);
    case "sqrt":
      return Math.sqrt(a);
    case "log2":
      return a > 0 ? Math.log2(a) : Number.NaN;
    default:
      return Number.isInteger(a) && Number.isInteger(b) ? bitwise(op, BigInt(a), BigInt(b)) : Number.NaN;
  }
}

/** Sizes may have more than 32 bits. */
function bitwise(op: "bitand" | "bitor" | "bitxor", a: bigint, b: bigint): number {
  if (op === "bitand") return Number(a & b);
  return Number(op === "bitor" ? a | b : a ^ b);
}

/** The remainder has the divisor's sign. */
function modulo(a: number, b: number): number {
  const remainder = a % b;
  return remainder !== 0 && remainder < 0 !== b < 0 ? remainder + b : remainder;
}

function roundHalfEven(x: number): number {
  const low = Math.floor(x);
  if (x - low !== 0.5) return Math.round(x);
  return low % 2 === 0 ? low : low + 1;
}

import type { SymbolRange } from "./ir.ts";
import { add, type Dim, mul, type SymNode, type SymSymbol, sub, sym } from "./sym.ts";

/** The least and the greatest value of an expression, infinite where nothing is known. */
export interface Bounds {
  readonly min: number;
  readonly max: number;
}

const UNBOUNDED: Bounds = { min: Number.NEGATIVE_INFINITY, max: Number.POSITIVE_INFINITY };

/** What the ranges of an expression's symbols say about its value: those they carry, and those the program has for them. */
export function boundsOf(dim: Dim, ranges?: ReadonlyMap<string, SymbolRange>): Bounds {
  if (typeof dim === "number") return { min: dim, max: dim };
  if (dim.op === "symbol") {
    const { name, range } = dim as SymSymbol;
    const known = ranges?.get(name);
    return range ?? (known === undefined ? UNBOUNDED : { min: known.min, max: known.max ?? UNBOUNDED.max });
  }
  const { op, args } = dim as SymNode;
  const bounds = args.map((arg) => boundsOf(arg, ranges));
  const [a, b] = bounds as [Bounds, Bounds];
  switch (op) {
    case "add":
      return { min: total(bounds.map(({ min }) => min)), max: total(bounds.map(({ max }) => max)) };
    case "mul":
      return bounds.reduce(product);
    case "max":
      return {
        min: Math.max(...bounds.map(({ min }) => min)),
        max: Math.max(...bounds.map(({ max }) => max)),
      };
    case "min":
      return {
        min: Math.min(...bounds.map(({ min }) => min)),
        max: Math.min(...bounds.map(({ max }) => max)),
      };
    case "floordiv":
    case "cleandiv":
    case "truediv":
      return divided(op, a, b);
    case "mod":
      return b.min > 0 ? { min: 0, max: b.max } : UNBOUNDED;
    case "ceil":
    case "floor":
    case "trunc":
    case "round":
      return { min: Math.floor(a.min), max: Math.ceil(a.max) };
    case "tofloat":
      return a;
    default:
      return UNBOUNDED;
  }
}

/** Whether a ≤ b for all values of the symbols (true), for none (false), or for some (undefined). */
export function isAtMost(a: Dim, b: Dim): boolean | undefined {
  const room = sub(b, a);
  const { min, max } = boundsOf(room);
  if (min >= 0 || boundsOf(withoutQuotients(room)).min >= 0) return true;
  return max < 0 ? false : undefined;
}

/** A sum that is never larger: k · (x // k) is at least x - (k - 1), and at most x. */
function withoutQuotients(dim: Dim): Dim {
  if (typeof dim === "number" || dim.op !== "add") return dim;
  return (dim as SymNode).args.map(belowQuotient).reduce(add, 0);
}

function belowQuotient(term: Dim): Dim {
  if (typeof term === "number" || term.op !== "mul") return term;
  const [factor, quotient, ...others] = (term as SymNode).args;
  if (typeof factor !== "number" || typeof quotient !== "object" || others.length > 0) return term;
  const [size, by] = quotient.op === "floordiv" ? (quotient as SymNode).args : [];
  if (size === undefined || typeof by !== "number" || by < 1 || factor % by !== 0) return term;
  const whole = mul(factor / by, size);
  return factor > 0 ? sub(whole, (factor / by) * (by - 1)) : whole;
}

/** The smaller of two sizes: one of them where it is known which. */
export function least(a: Dim, b: Dim): Dim {
  if (isAtMost(a, b) === true) return a;
  return isAtMost(b, a) === true ? b : sym("min", a, b);
}

/** The larger of two sizes. */
export function greatest(a: Dim, b: Dim): Dim {
  if (isAtMost(a, b) === true) return b;
  return isAtMost(b, a) === true ? a : sym("max", a, b);
}

function total(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}

function product(a: Bounds, b: Bounds): Bounds {
  const corners = [a.min * b.min, a.min * b.max, a.max * b.min, a.max * b.max];
  // 0 · ∞ is 0 here: an infinite bound stands for a large number.
  const known = corners.map((value) => (Number.isNaN(value) ? 0 : value));
  return { min: Math.min(...known), max: Math.max(...known) };
}

function divided(op: SymNode["op"], a: Bounds, b: Bounds): Bounds {
  if (b.min !== b.max || b.min <= 0) return UNBOUNDED;
  const [min, max] = [a.min / b.min, a.max / b.min];
  return op === "floordiv" ? { min: Math.floor(min), max: Math.floor(max) } : { min, max };
}

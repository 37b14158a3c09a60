import { dimOfGuard, type GuardTerm, isGuardNode, sizesOfGuard } from "./guard.ts";
import { type Dim, factorsOf, keyOf, product, type SymNode, sym, symbolsOf, termsOf } from "./sym.ts";
import type { SymOp } from "./sym-op.ts";

/**
 * The dimensions whose growth may break a condition that holds. Rows of several requests may not be added up in such a dimension, and it
 * may not be padded. Conditions that hold for any positive size (`3*b == b*3`, `(4*b) % b == 0`) bind nothing, nor do lower bounds.
 */
export function sizesThatMayNotGrow(condition: GuardTerm): ReadonlySet<string> {
  const bound = new Set<string>();
  collect(condition, bound);
  return bound;
}

function collect(term: GuardTerm, bound: Set<string>): void {
  if (isGuardNode(term) && (term.op === "and" || term.op === "or")) {
    for (const arg of term.args) collect(arg, bound);
    return;
  }
  const dim = dimOfGuard(term);
  if (dim === undefined) sizesOfGuard(term, bound);
  else for (const name of symbolsOf(dim)) if (mayBreak(dim, name)) bound.add(name);
}

function mayBreak(condition: Dim, name: string): boolean {
  if (typeof condition === "number" || condition.op === "symbol") return false;
  const { op, args } = condition as SymNode;
  const [left, right] = args.map(simplified);
  if (left === undefined || right === undefined || !COMPARISONS.has(op)) return true;
  const [a, b] = withoutCommon(left, right);
  if (!has(a, name) && !has(b, name)) return false;
  switch (op) {
    case "ge":
    case "gt":
      return !(grows(a, name) && !has(b, name));
    case "le":
    case "lt":
      return !(grows(b, name) && !has(a, name));
    case "ne":
      // A number of elements that is neither none nor one stays so.
      return !((isFew(b) && grows(a, name)) || (isFew(a) && grows(b, name)));
    default:
      return true;
  }
}

const COMPARISONS: ReadonlySet<string> = new Set<SymOp>(["eq", "ne", "lt", "le", "gt", "ge"]);

function has(dim: Dim, name: string): boolean {
  return symbolsOf(dim).has(name);
}

function isFew(dim: Dim): boolean {
  return dim === 0 || dim === 1;
}

/** Never becomes smaller when the symbol grows. */
function grows(dim: Dim, name: string): boolean {
  if (typeof dim === "number" || dim.op === "symbol" || !has(dim, name)) return true;
  const { op, args } = dim as SymNode;
  if (op === "add" || op === "max" || op === "min") return args.every((arg) => grows(arg, name));
  if (op === "mul") return args.every((arg) => isPositive(arg) && grows(arg, name));
  if (op !== "floordiv" && op !== "cleandiv") return false;
  return grows(args[0]!, name) && isPositive(args[1]!) && !has(args[1]!, name);
}

function isPositive(dim: Dim): boolean {
  if (typeof dim === "number") return dim >= 0;
  if (dim.op === "symbol") return true;
  const { op, args } = dim as SymNode;
  return ["add", "mul", "max", "min", "floordiv", "cleandiv", "mod"].includes(op) && args.every(isPositive);
}

/** With what is common to both sides of its divisions cancelled. */
function simplified(dim: Dim): Dim {
  if (typeof dim === "number" || dim.op === "symbol") return dim;
  const { op } = dim as SymNode;
  const args = (dim as SymNode).args.map(simplified);
  if (op !== "floordiv" && op !== "mod") return sym(op, ...args);
  const [a, b, common] = withoutCommon(args[0]!, args[1]!);
  return op === "mod" ? sym("mul", ...common, sym("mod", a, b)) : sym("floordiv", a, b);
}

/** Both without the symbols that are factors of all their terms, and those symbols. */
function withoutCommon(a: Dim, b: Dim): readonly [Dim, Dim, readonly Dim[]] {
  const terms = [...termsOf(a), ...termsOf(b)].filter((term) => term !== 0).map(symbolsAmong);
  const common: Dim[] = [];
  for (const factor of terms[0] ?? []) {
    const rest = terms.map((factors) => factors.findIndex((other) => keyOf(other) === keyOf(factor)));
    if (rest.includes(-1)) continue;
    for (const [i, at] of rest.entries()) if (i > 0) terms[i]!.splice(at, 1);
    common.push(factor);
  }
  return common.length === 0 ? [a, b, common] : [divided(a, common), divided(b, common), common];
}

function symbolsAmong(term: Dim): Dim[] {
  return factorsOf(term).filter((factor) => typeof factor !== "number" && factor.op === "symbol");
}

function divided(dim: Dim, by: readonly Dim[]): Dim {
  const terms = termsOf(dim).map((term) => {
    if (term === 0) return 0;
    const factors = [...factorsOf(term)];
    for (const factor of by)
      factors.splice(
        factors.findIndex((other) => keyOf(other) === keyOf(factor)),
        1,
      );
    return product(factors);
  });
  return sym("add", ...terms);
}

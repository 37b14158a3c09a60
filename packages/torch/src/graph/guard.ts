import { type Dim, keyOf, type SymExpr, type SymNode, type SymSymbol, sub, sym, symbol } from "./sym.ts";
import type { SymOp } from "./sym-op.ts";

/**
 * A condition on what a caller gives that the program was exported under; PyTorch raises where it does not hold. Arithmetic is
 * Python's; a division by zero makes the condition fail.
 */
export interface Guard {
  readonly condition: GuardTerm;
  /** Why there is such a condition, when the program's code does not say it. */
  readonly because?: string;
}

export type GuardTerm = number | GuardSize | GuardValue | GuardNode;

/** The size of every input dimension that the program describes by this expression. */
export interface GuardSize {
  readonly op: "size";
  readonly dim: SymExpr;
}

/** The number that an input without dimensions holds, by the name of the graph input. */
export interface GuardValue {
  readonly op: "value";
  readonly input: string;
}

export interface GuardNode {
  readonly op: GuardOp;
  readonly args: readonly GuardTerm[];
}

/** Comparisons give 1 or 0. `floordiv` and `mod` round and sign as Python's, `round` goes to the even neighbour. */
export type GuardOp =
  | "add"
  | "sub"
  | "mul"
  | "truediv"
  | "floordiv"
  | "mod"
  | "pow"
  | "max"
  | "min"
  | "abs"
  | "floor"
  | "ceil"
  | "trunc"
  | "round"
  | "sqrt"
  | "log2"
  | "bitand"
  | "bitor"
  | "bitxor"
  | "eq"
  | "ne"
  | "lt"
  | "le"
  | "gt"
  | "ge"
  | "and"
  | "or"
  | "not"
  | "ite";

/** The size of an input's dimension: known, or the caller's. */
export function guardSize(dim: Dim): GuardTerm {
  return typeof dim === "number" ? dim : { op: "size", dim };
}

export function guardNode(op: GuardOp, ...args: readonly GuardTerm[]): GuardTerm {
  const [a, b] = args;
  const isSized = typeof a === "object" && typeof b === "object" && a.op === "size" && b.op === "size";
  return op === "eq" && isSized && guardKey(a) === guardKey(b) ? 1 : { op, args };
}

/** Canonical text: conditions with equal keys are equal. */
export function guardKey(term: GuardTerm): string {
  if (typeof term === "number") return String(term);
  if (term.op === "size") return `size(${keyOf(term.dim)})`;
  if (term.op === "value") return `value(${term.input})`;
  return `${term.op}(${(term as GuardNode).args.map(guardKey).join(",")})`;
}

export function isGuardNode(term: GuardTerm | undefined): term is GuardNode {
  return typeof term === "object" && term.op !== "size" && term.op !== "value";
}

/** Operations that sizes and guards have in common. */
const SHARED: ReadonlySet<string> = new Set<SymOp & GuardOp>([
  "add",
  "mul",
  "truediv",
  "floordiv",
  "mod",
  "pow",
  "max",
  "min",
  "floor",
  "ceil",
  "trunc",
  "round",
  "sqrt",
  "eq",
  "ne",
  "lt",
  "le",
  "gt",
  "ge",
  "and",
  "or",
  "not",
  "ite",
]);

/**
 * What the program says over its own symbols, said about the inputs. Divisions that should have no remainder are rounded down, as the
 * program does, unless they are `exact`. Undefined: `sizeOf` does not know a symbol.
 */
export function guardOfDim(
  dim: Dim,
  sizeOf: (symbol: SymSymbol) => GuardTerm | undefined,
  division: "floor" | "exact" = "floor",
): GuardTerm | undefined {
  if (typeof dim === "number") return dim;
  if (dim.op === "symbol") return sizeOf(dim as SymSymbol);
  const args = (dim as SymNode).args.map((arg) => guardOfDim(arg, sizeOf, division));
  const known = args.filter((arg) => arg !== undefined);
  if (known.length < args.length) return undefined;
  if (dim.op === "tofloat") return known[0];
  if (dim.op === "cleandiv") return guardNode(division === "exact" ? "truediv" : "floordiv", ...known);
  return SHARED.has(dim.op) ? guardNode(dim.op as GuardOp, ...known) : undefined;
}

/** The condition over sizes alone, with sums and products in canonical form, to reason about; undefined when sizes cannot express it. */
export function dimOfGuard(term: GuardTerm): Dim | undefined {
  if (typeof term === "number") return term;
  // A dimension is not yet what the program says it is: that is for a guard to see.
  if (term.op === "size") return symbol(term.dim.key);
  if (!isGuardNode(term)) return undefined;
  const dims = term.args.map(dimOfGuard).filter((dim) => dim !== undefined);
  if (dims.length < term.args.length) return undefined;
  if (term.op === "sub") return sub(dims[0]!, dims[1]!);
  return SHARED.has(term.op) ? sym(term.op as SymOp, ...dims) : undefined;
}

/** The keys of the dimensions that a condition reads. */
export function sizesOfGuard(term: GuardTerm, into: Set<string> = new Set<string>()): Set<string> {
  if (typeof term === "number") return into;
  if (term.op === "size") into.add(term.dim.key);
  else if (isGuardNode(term)) for (const arg of term.args) sizesOfGuard(arg, into);
  return into;
}

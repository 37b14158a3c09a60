import { evaluateOp, type SymOp } from "./sym-op.ts";

/**
 * Symbolic sizes. A `Dim` is a plain number when it is known and an expression over symbols when the caller chooses it. Expressions
 * come from the file (sympy's srepr) or from lowerings that calculate with sizes; the constructors below fold constants, flatten sums
 * and products, and give equal expressions equal keys.
 */
export type Dim = number | SymExpr;

export type SymExpr = SymSymbol | SymNode;

export interface SymSymbol {
  readonly op: "symbol";
  readonly name: string;
  readonly key: string;
  /** Known of an integer: its least and its greatest value. Without it the symbol may stand for any number. */
  readonly range?: { readonly min: number; readonly max: number };
}

export interface SymNode {
  readonly op: SymOp;
  readonly args: readonly Dim[];
  /** Canonical text: two expressions with equal keys are equal. */
  readonly key: string;
}

export function symbol(name: string, range?: SymSymbol["range"]): SymSymbol {
  return range === undefined ? { op: "symbol", name, key: name } : { op: "symbol", name, key: name, range };
}

/** The expression with other expressions for some of its symbols. */
export function substitute(dim: Dim, by: ReadonlyMap<string, Dim>): Dim {
  if (typeof dim === "number") return dim;
  if (dim.op === "symbol") return by.get((dim as SymSymbol).name) ?? dim;
  const { op, args } = dim as SymNode;
  return sym(op, ...args.map((arg) => substitute(arg, by)));
}

export function keyOf(dim: Dim): string {
  return typeof dim === "number" ? String(dim) : dim.key;
}

/** True only when both are provably the same size. */
export function sameDim(a: Dim, b: Dim): boolean {
  return keyOf(a) === keyOf(b);
}

export function sameDims(a: readonly Dim[], b: readonly Dim[]): boolean {
  return a.length === b.length && a.every((dim, i) => sameDim(dim, b[i]!));
}

export function isStatic(dims: readonly Dim[]): dims is readonly number[] {
  return dims.every((dim) => typeof dim === "number");
}

/** The free symbols of an expression, each once, in order of appearance. */
export function symbolsOf(dim: Dim, into: Set<string> = new Set<string>()): Set<string> {
  if (typeof dim === "number") return into;
  if (dim.op === "symbol") into.add((dim as SymSymbol).name);
  else for (const arg of (dim as SymNode).args) symbolsOf(arg, into);
  return into;
}

/** Any operation, folded when all arguments are numbers. Sums and products should use `add` and `mul`. */
export function sym(op: SymOp, ...args: readonly Dim[]): Dim {
  if (op === "add") return args.reduce(add, 0);
  if (op === "mul") return args.reduce(mul, 1);
  if (isStatic(args)) {
    const value = evaluateOp(op, args);
    if (Number.isFinite(value)) return value;
  }
  if (op === "cleandiv" && isDivisor(args[1])) return cleanDivide(args[0]!, args[1]);
  if (op === "floordiv" && args[1] === 1) return args[0]!;
  if (args.length > 0 && isInteger(args[0]!)) {
    if (ROUNDING.has(op)) return args[0]!;
    if ((op === "floordiv" || op === "mod") && isDivisor(args[1])) return divide(op, args[0]!, args[1]);
  }
  if ((op === "max" || op === "min") && args.length === 1) return args[0]!;
  return make(op, args);
}

const ROUNDING: ReadonlySet<SymOp> = new Set(["ceil", "floor", "trunc", "round"]);

const INTEGER_OPS: ReadonlySet<SymOp> = new Set([
  "add",
  "mul",
  "max",
  "min",
  "floordiv",
  "mod",
  "cleandiv",
  "ceil",
  "floor",
  "trunc",
  "round",
]);

/** Whether an expression is made of integers alone: symbols of known range, and what keeps them whole. */
function isInteger(dim: Dim): boolean {
  if (typeof dim === "number") return Number.isInteger(dim);
  if (dim.op === "symbol") return (dim as SymSymbol).range !== undefined;
  return ROUNDING.has(dim.op) || (INTEGER_OPS.has(dim.op) && (dim as SymNode).args.every(isInteger));
}

/** (k · a + r) // k is a + r // k, and its remainder that of r. */
function divide(op: "floordiv" | "mod", numerator: Dim, divisor: number): Dim {
  let [whole, rest]: [Dim, Dim] = [0, 0];
  for (const term of termsOf(numerator)) {
    const { factor, rest: part } = splitFactor(term);
    const times = part === 1 || factor % divisor === 0 ? Math.floor(factor / divisor) : 0;
    whole = add(whole, mul(times, part));
    rest = add(rest, mul(factor - times * divisor, part));
  }
  if (typeof rest === "number") return op === "mod" ? rest : add(whole, Math.floor(rest / divisor));
  const left = make(op, [rest, divisor]);
  return op === "mod" ? left : add(whole, left);
}

function make(op: SymOp, args: readonly Dim[]): SymNode {
  const keys = args.map(keyOf);
  if (op === "max" || op === "min") keys.sort();
  return { op, args, key: `${op}(${keys.join(",")})` };
}

/** a + b. Sums are kept as sorted linear combinations, so that `s + 1 - 1` is `s`. */
export function add(a: Dim, b: Dim): Dim {
  if (typeof a === "number" && typeof b === "number") return a + b;
  const denominator = lcm(denominatorOf(a), denominatorOf(b));
  if (denominator > 1)
    return sym("cleandiv", add(scaled(a, denominator), scaled(b, denominator)), denominator);
  const terms = new Map<string, { factor: number; rest: Dim }>();
  for (const term of [...termsOf(a), ...termsOf(b)]) {
    const { factor, rest } = splitFactor(term);
    const key = keyOf(rest);
    terms.set(key, { factor: (terms.get(key)?.factor ?? 0) + factor, rest });
  }
  const sorted = [...terms].sort(([x], [y]) => (x < y ? -1 : 1)).map(([, term]) => term);
  const summands = sorted.filter((t) => t.factor !== 0).map((t) => mul(t.factor, t.rest));
  if (summands.length === 0) return 0;
  return summands.length === 1 ? summands[0]! : make("add", summands);
}

export function sub(a: Dim, b: Dim): Dim {
  return add(a, mul(-1, b));
}

/** a · b, with exact divisions by constants pulled to the outside. */
export function mul(a: Dim, b: Dim): Dim {
  if (typeof a === "number" && typeof b === "number") return a * b;
  if (a === 0 || b === 0) return 0;
  const denominator = denominatorOf(a) * denominatorOf(b);
  if (denominator > 1) return sym("cleandiv", mul(numeratorOf(a), numeratorOf(b)), denominator);
  let factor = 1;
  const rest: Dim[] = [];
  for (const part of [...factorsOf(a), ...factorsOf(b)]) {
    if (typeof part === "number") factor *= part;
    else rest.push(part);
  }
  if (rest.length === 0) return factor;
  const first = rest[0]!;
  if (rest.length === 1 && typeof first !== "number" && first.op === "add" && factor !== 1) {
    return (first as SymNode).args.map((term) => mul(factor, term)).reduce(add);
  }
  rest.sort((x, y) => (keyOf(x) < keyOf(y) ? -1 : 1));
  const args = factor === 1 ? rest : [factor, ...rest];
  return args.length === 1 ? args[0]! : make("mul", args);
}

/** The product of sizes: the number of elements. */
export function product(dims: readonly Dim[]): Dim {
  return dims.reduce(mul, 1);
}

/** Value of an expression when its symbols have these values; undefined when one of them is missing. */
export function evaluate(dim: Dim, values: ReadonlyMap<string, number>): number | undefined {
  if (typeof dim === "number") return dim;
  if (dim.op === "symbol") return values.get((dim as SymSymbol).name);
  const args: number[] = [];
  for (const arg of (dim as SymNode).args) {
    const value = evaluate(arg, values);
    if (value === undefined) return undefined;
    args.push(value);
  }
  return evaluateOp(dim.op, args);
}

/** The summands of a sum; anything else is its own only one. */
export function termsOf(dim: Dim): readonly Dim[] {
  return typeof dim !== "number" && dim.op === "add" ? (dim as SymNode).args : [dim];
}

/** The factors of a product; anything else is its own only one. */
export function factorsOf(dim: Dim): readonly Dim[] {
  return typeof dim !== "number" && dim.op === "mul" ? (dim as SymNode).args : [dim];
}

function splitFactor(term: Dim): { factor: number; rest: Dim } {
  if (typeof term === "number") return { factor: term, rest: 1 };
  if (term.op !== "mul") return { factor: 1, rest: term };
  const [first, ...others] = (term as SymNode).args;
  if (typeof first !== "number") return { factor: 1, rest: term };
  return { factor: first, rest: others.length === 1 ? others[0]! : make("mul", others) };
}

function isConstantDivision(dim: Dim): dim is SymNode {
  return typeof dim !== "number" && dim.op === "cleandiv" && isDivisor((dim as SymNode).args[1]);
}

/** What a quotient can be reduced by. A broken file may divide by 0 or by a fraction: such a size stays as it is written. */
function isDivisor(dim: Dim | undefined): dim is number {
  return typeof dim === "number" && Number.isSafeInteger(dim) && dim > 0;
}

function denominatorOf(dim: Dim): number {
  return isConstantDivision(dim) ? (dim.args[1] as number) : 1;
}

function numeratorOf(dim: Dim): Dim {
  return isConstantDivision(dim) ? dim.args[0]! : dim;
}

function scaled(dim: Dim, by: number): Dim {
  return mul(numeratorOf(dim), by / denominatorOf(dim));
}

/** numerator / denominator without remainder, with the common factor cancelled. */
function cleanDivide(numerator: Dim, denominator: number): Dim {
  const common = termsOf(numerator).reduce<number>(
    (d, term) => gcd(d, Math.abs(splitFactor(term).factor)),
    denominator,
  );
  if (common === 1) return denominator === 1 ? numerator : make("cleandiv", [numerator, denominator]);
  const reduced = termsOf(numerator)
    .map(splitFactor)
    .map(({ factor, rest }) => mul(factor / common, rest))
    .reduce<Dim>(add, 0);
  return cleanDivide(reduced, denominator / common);
}

function gcd(a: number, b: number): number {
  let [x, y] = [a, b];
  while (y !== 0) [x, y] = [y, x % y];
  return x;
}

function lcm(a: number, b: number): number {
  return (a * b) / gcd(a, b);
}

import { ModelFileError } from "../errors.ts";
import { add, type Dim, mul, type SymNode, sym, symbol } from "../graph/sym.ts";
import type { SymOp } from "../graph/sym-op.ts";
import { parseInfix } from "./infix.ts";

const MAX_DEPTH = 100;
const MAX_LENGTH = 100_000;

/** sympy and torch.utils._sympy.functions names of what maps one to one. */
const CALLS: Record<string, SymOp> = {
  Max: "max",
  Min: "min",
  FloorDiv: "floordiv",
  Mod: "mod",
  PythonMod: "mod",
  CleanDiv: "cleandiv",
  PowByNatural: "pow",
  FloatPow: "pow",
  ToFloat: "tofloat",
  IntTrueDiv: "truediv",
  FloatTrueDiv: "truediv",
  OpaqueUnaryFn_sqrt: "sqrt",
  CeilToInt: "ceil",
  ceiling: "ceil",
  FloorToInt: "floor",
  floor: "floor",
  TruncToInt: "trunc",
  RoundToInt: "round",
  Equality: "eq",
  Unequality: "ne",
  StrictLessThan: "lt",
  LessThan: "le",
  StrictGreaterThan: "gt",
  GreaterThan: "ge",
  And: "and",
  Or: "or",
  Not: "not",
  Where: "ite",
  ITE: "ite",
};

/**
 * Reads a size as torch.export stores it: sympy's srepr, such as `Mul(Integer(4), Symbol('s27', positive=True, integer=True))`; before
 * torch 2.6 as sympy prints it, `4*s27`. Nothing is executed. Throws ModelFileError: "corrupt" for broken text, "unsupported" for a
 * function that sizes do not use.
 */
export function parseSrepr(text: string): Dim {
  if (text.length > MAX_LENGTH) throw new ModelFileError("limit", "a symbolic size is too long");
  if (!SREPR.test(text)) return parseInfix(text, call);
  const cursor: Cursor = { text, at: 0 };
  const dim = expression(cursor, 0);
  if (next(cursor) !== undefined) throw broken(cursor);
  return dim;
}

/** What only srepr has: quoted names, tagged numbers, bare constants. */
const SREPR = /'|(?:Symbol|Dummy|Integer|Float)\(|^\s*(?:true|false|oo|int_oo)\s*$/;

interface Cursor {
  readonly text: string;
  at: number;
}

const TOKEN = /\s*(?:([A-Za-z_]\w*)|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|'([^'\\]*)'|([(),=]))/y;

interface Token {
  readonly kind: "name" | "number" | "string" | "sign";
  readonly text: string;
}

function next(cursor: Cursor): Token | undefined {
  TOKEN.lastIndex = cursor.at;
  const match = TOKEN.exec(cursor.text);
  if (match === null) {
    if (cursor.text.slice(cursor.at).trim() !== "") throw broken(cursor);
    return undefined;
  }
  cursor.at = TOKEN.lastIndex;
  const [, name, number, string, sign] = match;
  if (name !== undefined) return { kind: "name", text: name };
  if (number !== undefined) return { kind: "number", text: number };
  return string !== undefined ? { kind: "string", text: string } : { kind: "sign", text: sign! };
}

function expect(cursor: Cursor, sign: string): void {
  const token = next(cursor);
  if (token?.kind !== "sign" || token.text !== sign) throw broken(cursor);
}

function peekSign(cursor: Cursor, sign: string): boolean {
  const at = cursor.at;
  const token = next(cursor);
  cursor.at = at;
  return token?.kind === "sign" && token.text === sign;
}

function expression(cursor: Cursor, depth: number): Dim {
  if (depth > MAX_DEPTH) throw new ModelFileError("limit", `a symbolic size nests deeper than ${MAX_DEPTH}`);
  const token = next(cursor);
  if (token?.kind === "number") return Number(token.text);
  if (token?.kind !== "name") throw broken(cursor);
  if (token.text === "true") return 1;
  if (token.text === "false") return 0;
  if (token.text === "oo" || token.text === "int_oo") throw notASize(token.text);
  expect(cursor, "(");
  if (token.text === "Symbol" || token.text === "Float" || token.text === "Dummy") {
    return textual(cursor, token.text);
  }
  const args: Dim[] = [];
  while (!peekSign(cursor, ")")) {
    args.push(expression(cursor, depth + 1));
    if (!peekSign(cursor, ")")) expect(cursor, ",");
  }
  expect(cursor, ")");
  return call(token.text, args);
}

/** `Symbol('s0', positive=True, integer=True)` and `Float('0.5', precision=53)`: a string, then assumptions that are passed over. */
function textual(cursor: Cursor, kind: string): Dim {
  const token = next(cursor);
  if (token?.kind !== "string") throw broken(cursor);
  while (!peekSign(cursor, ")")) {
    expect(cursor, ",");
    if (next(cursor)?.kind !== "name") throw broken(cursor);
    expect(cursor, "=");
    next(cursor);
  }
  expect(cursor, ")");
  if (kind !== "Float") return symbol(token.text);
  const value = Number(token.text);
  if (token.text === "" || !Number.isFinite(value)) throw broken(cursor);
  return value;
}

function call(name: string, args: readonly Dim[]): Dim {
  const [a, b] = args;
  if (a === undefined) throw notASize(name);
  switch (name) {
    case "Integer":
    case "Identity":
      return a;
    case "Add":
      return args.reduce(add);
    case "Mul":
      return multiply(args);
    case "Rational":
      if (b === undefined || b === 0) throw notASize(name);
      return sym("truediv", a, b);
    case "Pow":
      if (typeof b !== "number") throw notASize(name);
      return power(a, b);
    case "Piecewise":
      return piecewise(args);
    case "ExprCondPair":
      if (b === undefined) throw notASize(name);
      return sym("ite", b, a, 0);
    case "CeilDiv":
      if (b === undefined) throw notASize(name);
      return mul(-1, sym("floordiv", mul(-1, a), b));
  }
  const op = Object.hasOwn(CALLS, name) ? CALLS[name] : undefined;
  if (op === undefined) throw notASize(name);
  return sym(op, ...args);
}

/** `Piecewise(ExprCondPair(x, c), ExprCondPair(y, true))`: the first case whose condition holds; each pair is read as `c ? x : 0`. */
function piecewise(cases: readonly Dim[]): Dim {
  return cases.reduceRight<Dim>((otherwise, pair) => {
    if (typeof pair === "number" || pair.op !== "ite") return pair;
    const [condition, value] = (pair as SymNode).args;
    return sym("ite", condition!, value!, otherwise);
  }, 0);
}

/** sympy writes x/2 as Mul(Rational(1, 2), x): products of integers and exact fractions become exact divisions. */
function multiply(args: readonly Dim[]): Dim {
  let result: Dim = 1;
  let divisor: Dim = 1;
  for (const arg of args) {
    if (typeof arg !== "number" && arg.op === "truediv" && "args" in arg && arg.args[0] === 1) {
      divisor = mul(divisor, arg.args[1]!);
    } else if (typeof arg === "number" && !Number.isInteger(arg)) {
      const fraction = asFraction(arg);
      if (fraction === undefined) return args.reduce((x, y) => sym("mul", x, y));
      result = mul(result, fraction.numerator);
      divisor = mul(divisor, fraction.denominator);
    } else result = mul(result, arg);
  }
  return divisor === 1 ? result : sym("cleandiv", result, divisor);
}

function asFraction(value: number): { numerator: number; denominator: number } | undefined {
  for (let denominator = 2; denominator <= 4096; denominator++) {
    const numerator = value * denominator;
    if (Number.isInteger(numerator)) return { numerator, denominator };
    if (Math.round(numerator) / denominator === value)
      return { numerator: Math.round(numerator), denominator };
  }
  return undefined;
}

function power(base: Dim, exponent: number): Dim {
  if (exponent === 0.5) return sym("sqrt", base);
  if (!Number.isInteger(exponent) || Math.abs(exponent) > 16) throw notASize("Pow");
  let result: Dim = 1;
  for (let i = 0; i < Math.abs(exponent); i++) result = mul(result, base);
  return exponent < 0 ? sym("truediv", 1, result) : result;
}

function broken(cursor: Cursor): ModelFileError {
  return new ModelFileError(
    "corrupt",
    `a symbolic size cannot be read near "${cursor.text.slice(cursor.at, cursor.at + 20)}"`,
  );
}

function notASize(name: string): ModelFileError {
  return new ModelFileError("unsupported", `a symbolic size uses ${name}, which is not supported`);
}

import { ModelFileError } from "../errors.ts";
import { add, type Dim, mul, sub, sym, symbol } from "../graph/sym.ts";

const MAX_DEPTH = 100;

/** Applies a function of sympy or torch.utils._sympy.functions by its name. Throws ModelFileError for one that sizes do not use. */
type Call = (name: string, args: readonly Dim[]) => Dim;

interface Cursor {
  readonly tokens: readonly string[];
  readonly call: Call;
  at: number;
}

const TOKEN = /\s*(\*\*|\/\/|[-+*/%(),]|[A-Za-z_]\w*|\d+(?:\.\d+)?)/y;

/**
 * Reads a size as sympy prints it (`2*s0 + 1`, `(s0//2)`, `Max(1, s0)`, `Mod(s0, 8)`), as programs before torch 2.6 store it. Nothing is
 * executed. Throws ModelFileError("corrupt") for anything else.
 */
export function parseInfix(text: string, call: Call): Dim {
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  for (let at = 0; text.slice(at).trim() !== ""; at = TOKEN.lastIndex) {
    TOKEN.lastIndex = at;
    const match = TOKEN.exec(text);
    if (match === null) throw broken(text.slice(at));
    tokens.push(match[1]!);
  }
  const cursor: Cursor = { tokens, call, at: 0 };
  const dim = sum(cursor, 0);
  if (cursor.at < tokens.length) throw broken(tokens[cursor.at]!);
  return dim;
}

function sum(cursor: Cursor, depth: number): Dim {
  if (depth > MAX_DEPTH) throw new ModelFileError("limit", `a symbolic size nests deeper than ${MAX_DEPTH}`);
  let left = product(cursor, depth);
  for (;;) {
    if (accept(cursor, "+")) left = add(left, product(cursor, depth));
    else if (accept(cursor, "-")) left = sub(left, product(cursor, depth));
    else return left;
  }
}

function product(cursor: Cursor, depth: number): Dim {
  let left = signed(cursor, depth);
  for (;;) {
    if (accept(cursor, "*")) left = mul(left, signed(cursor, depth));
    else if (accept(cursor, "//")) left = sym("floordiv", left, signed(cursor, depth));
    else if (accept(cursor, "%")) left = sym("mod", left, signed(cursor, depth));
    else if (accept(cursor, "/")) left = sym("cleandiv", left, signed(cursor, depth));
    else return left;
  }
}

function signed(cursor: Cursor, depth: number): Dim {
  let sign = 1;
  while (accept(cursor, "-")) sign = -sign;
  const base = atom(cursor, depth);
  const raised = accept(cursor, "**") ? cursor.call("Pow", [base, atom(cursor, depth)]) : base;
  return sign === 1 ? raised : mul(-1, raised);
}

function atom(cursor: Cursor, depth: number): Dim {
  const token = cursor.tokens[cursor.at];
  cursor.at += 1;
  if (token === "(") {
    const inner = sum(cursor, depth + 1);
    expect(cursor, ")");
    return inner;
  }
  if (token !== undefined && /^\d/.test(token)) return Number(token);
  if (token === undefined || !/^[A-Za-z_]/.test(token)) throw broken(token ?? "its end");
  if (!accept(cursor, "(")) return symbol(token);
  const args: Dim[] = [];
  while (!accept(cursor, ")")) {
    args.push(sum(cursor, depth + 1));
    if (cursor.tokens[cursor.at] !== ")") expect(cursor, ",");
  }
  return cursor.call(token, args);
}

function accept(cursor: Cursor, token: string): boolean {
  if (cursor.tokens[cursor.at] !== token) return false;
  cursor.at += 1;
  return true;
}

function expect(cursor: Cursor, token: string): void {
  if (!accept(cursor, token)) throw broken(cursor.tokens[cursor.at] ?? "its end");
}

function broken(near: string): ModelFileError {
  return new ModelFileError("corrupt", `a symbolic size cannot be read near "${near.slice(0, 20)}"`);
}

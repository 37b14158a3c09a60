import { type GuardOp, type GuardTerm, guardNode } from "../../graph/guard.ts";
import { callGuard } from "./guard-calls.ts";
import { type GuardToken, guardTokens } from "./guard-tokens.ts";

const MAX_DEPTH = 100;
/** A longer chain (`a + b + …`) is a tree too deep to walk. */
const MAX_CHAIN = 1000;
/** Longer guards are not read: a program has none by itself. */
const MAX_LENGTH = 100_000;

/** What a guard says about an input: `size` of a dimension, `stride` of it, `offset` into its storage, or its `value`. */
export type GuardRead =
  | { readonly kind: "size"; readonly axis: number }
  | { readonly kind: "stride"; readonly axis: number }
  | { readonly kind: "offset" }
  | { readonly kind: "value" };

/** What guards refer to. Undefined: there is no such thing. */
export interface GuardNames {
  /** An input by the steps from the arguments to it, as Python writes them: `['images'][0].left`. */
  input(path: string, read: GuardRead): GuardTerm | undefined;
  /** A symbol of the program, such as s77. */
  symbol(name: string): GuardTerm | undefined;
}

/**
 * Reads a guard as torch.export writes it: a condition in Python, such as `(L['x'].size()[1] % 2) == 0`. Nothing is executed. Undefined
 * when it is not understood.
 */
export function parseGuard(text: string, names: GuardNames): GuardTerm | undefined {
  const tokens = text.length > MAX_LENGTH ? undefined : guardTokens(text);
  if (tokens === undefined) return undefined;
  try {
    return new GuardParser(tokens, names).whole();
  } catch (error) {
    if (error instanceof NotUnderstood) return undefined;
    throw error;
  }
}

class NotUnderstood extends Error {}

/** Binary operators by how tightly they bind, loosest first; `not`, comparisons and `**` have rules of their own. */
const BINARY: readonly Readonly<Record<string, GuardOp>>[] = [
  { "|": "bitor" },
  { "^": "bitxor" },
  { "&": "bitand" },
  {},
  { "+": "add", "-": "sub" },
  { "*": "mul", "/": "truediv", "//": "floordiv", "%": "mod" },
];
const SHIFTS = 3;

const COMPARISONS: Readonly<Record<string, GuardOp>> = {
  "==": "eq",
  "!=": "ne",
  "<": "lt",
  "<=": "le",
  ">": "gt",
  ">=": "ge",
};

const CONSTANTS: Readonly<Record<string, number>> = {
  True: 1,
  False: 0,
  true: 1,
  false: 0,
  // No size comes near; an infinity could not be sent as JSON.
  inf: Number.MAX_VALUE,
  "math.inf": Number.MAX_VALUE,
  int_oo: Number.MAX_VALUE,
  "math.pi": Math.PI,
};

class GuardParser {
  readonly #tokens: readonly GuardToken[];
  readonly #names: GuardNames;
  #at = 0;
  #depth = 0;

  constructor(tokens: readonly GuardToken[], names: GuardNames) {
    this.#tokens = tokens;
    this.#names = names;
  }

  whole(): GuardTerm {
    const term = this.#ternary();
    if (this.#at < this.#tokens.length) throw new NotUnderstood();
    return term;
  }

  #enter(): void {
    this.#depth += 1;
    if (this.#depth > MAX_DEPTH) throw new NotUnderstood();
  }

  #ternary(): GuardTerm {
    this.#enter();
    let term = this.#junction("or");
    if (this.#accept("if")) {
      const condition = this.#junction("or");
      this.#expect("else");
      term = guardNode("ite", condition, term, this.#ternary());
    }
    this.#depth -= 1;
    return term;
  }

  #junction(op: "or" | "and"): GuardTerm {
    const part = (): GuardTerm => (op === "or" ? this.#junction("and") : this.#negation());
    const parts = [part()];
    while (this.#accept(op)) parts.push(part());
    return parts.length === 1 ? parts[0]! : guardNode(op, ...parts);
  }

  #negation(): GuardTerm {
    let isNegated = false;
    while (this.#accept("not")) isNegated = !isNegated;
    const term = this.#comparison();
    return isNegated ? guardNode("not", term) : term;
  }

  /** Python chains: `a < b < c` is `a < b and b < c`. */
  #comparison(): GuardTerm {
    let left = this.#binary(0);
    const parts: GuardTerm[] = [];
    for (let op = this.#operator(COMPARISONS); op !== undefined; op = this.#operator(COMPARISONS)) {
      const right = this.#binary(0);
      parts.push(guardNode(op, left, right));
      left = right;
    }
    if (parts.length === 0) return left;
    return parts.length === 1 ? parts[0]! : guardNode("and", ...parts);
  }

  #binary(level: number): GuardTerm {
    const operators = BINARY[level];
    if (operators === undefined) return this.#signed();
    if (level === SHIFTS) return this.#shift();
    let left = this.#binary(level + 1);
    let links = 0;
    for (let op = this.#operator(operators); op !== undefined; op = this.#operator(operators)) {
      left = guardNode(op, left, this.#binary(level + 1));
      links += 1;
      if (links > MAX_CHAIN) throw new NotUnderstood();
    }
    return left;
  }

  /** `a << n` is `a * 2 ** n`, `a >> n` is `a // 2 ** n`. */
  #shift(): GuardTerm {
    let left = this.#binary(SHIFTS + 1);
    for (let links = 0; links <= MAX_CHAIN; links++) {
      const op = this.#accept("<<") ? "mul" : this.#accept(">>") ? "floordiv" : undefined;
      if (op === undefined) return left;
      left = guardNode(op, left, guardNode("pow", 2, this.#binary(SHIFTS + 1)));
    }
    throw new NotUnderstood();
  }

  #signed(): GuardTerm {
    let isNegative = false;
    while (this.#isNext("-") || this.#isNext("+")) {
      if (this.#accept("-")) isNegative = !isNegative;
      else this.#accept("+");
    }
    const term = this.#power();
    if (!isNegative) return term;
    return typeof term === "number" ? -term : guardNode("sub", 0, term);
  }

  #power(): GuardTerm {
    const base = this.#atom();
    if (!this.#accept("**")) return base;
    this.#enter();
    const power = guardNode("pow", base, this.#signed());
    this.#depth -= 1;
    return power;
  }

  #atom(): GuardTerm {
    const token = this.#next();
    if (token.kind === "number") return Number(token.text);
    if (token.text === "(") {
      const inner = this.#ternary();
      this.#expect(")");
      return inner;
    }
    if (token.kind !== "name") throw new NotUnderstood();
    if (token.text === "L" && this.#isNext("[")) return this.#reference();
    if (this.#accept("(")) return known(callGuard(token.text, this.#arguments()));
    const constant = Object.hasOwn(CONSTANTS, token.text) ? CONSTANTS[token.text] : undefined;
    return constant ?? known(this.#names.symbol(token.text));
  }

  #arguments(): GuardTerm[] {
    const args: GuardTerm[] = [];
    while (!this.#accept(")")) {
      args.push(this.#ternary());
      if (!this.#isNext(")")) this.#expect(",");
    }
    return args;
  }

  /** `L['images'][0].size()[1]`: steps to an input, then what is read of it. */
  #reference(): GuardTerm {
    let path = "";
    for (;;) {
      if (this.#accept("[")) path += this.#subscript();
      else if (this.#accept(".")) {
        const read = this.#read();
        if (typeof read !== "string") return known(this.#names.input(path, read));
        path += `.${read}`;
      } else return known(this.#names.input(path, { kind: "value" }));
    }
  }

  #subscript(): string {
    const token = this.#next();
    if (token.kind !== "text" && token.kind !== "number") throw new NotUnderstood();
    this.#expect("]");
    return token.kind === "text" ? `['${token.text}']` : `[${token.text}]`;
  }

  /** What follows a dot: a field of a data class, or a property of a tensor. */
  #read(): string | GuardRead {
    const { text } = this.#next();
    if (text === "storage_offset" && this.#accept("(")) {
      this.#expect(")");
      return { kind: "offset" };
    }
    const isMethod = (text === "size" || text === "stride") && this.#accept("(");
    if (!isMethod && text !== "shape") return text;
    const kind = text === "stride" ? "stride" : "size";
    if (isMethod && !this.#accept(")")) {
      const axis = this.#axis();
      this.#expect(")");
      return { kind, axis };
    }
    this.#expect("[");
    const axis = this.#axis();
    this.#expect("]");
    return { kind, axis };
  }

  #axis(): number {
    const isNegative = this.#accept("-");
    const token = this.#next();
    if (token.kind !== "number" || !/^\d+$/.test(token.text)) throw new NotUnderstood();
    return isNegative ? -Number(token.text) : Number(token.text);
  }

  #operator(table: Readonly<Record<string, GuardOp>>): GuardOp | undefined {
    const token = this.#tokens[this.#at];
    if (token?.kind !== "sign" || !Object.hasOwn(table, token.text)) return undefined;
    this.#at += 1;
    return table[token.text];
  }

  #next(): GuardToken {
    const token = this.#tokens[this.#at];
    if (token === undefined) throw new NotUnderstood();
    this.#at += 1;
    return token;
  }

  #isNext(text: string): boolean {
    const token = this.#tokens[this.#at];
    return token !== undefined && token.kind !== "text" && token.text === text;
  }

  #accept(text: string): boolean {
    const isNext = this.#isNext(text);
    if (isNext) this.#at += 1;
    return isNext;
  }

  #expect(text: string): void {
    if (!this.#accept(text)) throw new NotUnderstood();
  }
}

function known(term: GuardTerm | undefined): GuardTerm {
  if (term === undefined) throw new NotUnderstood();
  return term;
}

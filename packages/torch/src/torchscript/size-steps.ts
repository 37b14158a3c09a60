import { isAtMost } from "../graph/bounds.ts";
import {
  add,
  type Dim,
  evaluate,
  mul,
  type SymNode,
  type SymSymbol,
  sameDim,
  sub,
  substitute,
  sym,
  symbol,
  symbolsOf,
  termsOf,
} from "../graph/sym.ts";
import { dimsOf, type SizeNeed } from "./size-need.ts";

type Range = NonNullable<SymSymbol["range"]>;

/** What symbols become. */
export interface Step {
  readonly by: ReadonlyMap<string, Dim>;
  readonly hints?: ReadonlyMap<string, number> | undefined;
}

/** How large a least size that nobody's example shows may be. */
const MOST_LEAST = 4096;
const MOST_SIZE = 2 ** 40;

/** What sizes are multiples of, in programs that people write. */
const FACTORS = [
  2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 24, 28, 32, 48, 56, 64, 96, 128, 160, 192, 224, 256, 320, 512, 640,
  1024,
];

/** Looks for the least that has to be fixed of some sizes so that a need of them is met. */
export class SizeSteps {
  readonly #known: ReadonlyMap<string, SymSymbol>;
  readonly #hints: ReadonlyMap<string, number> | undefined;

  /** `known`: the symbols that may change; `hints`: the sizes of the example. */
  constructor(known: ReadonlyMap<string, SymSymbol>, hints: ReadonlyMap<string, number> | undefined) {
    this.#known = known;
    this.#hints = hints;
  }

  /** The step after which the need is met. */
  step(need: SizeNeed): Step | undefined {
    switch (need.kind) {
      case "same":
        return (
          this.#equal(need.a, need.b) ??
          this.#equal(need.b, need.a) ??
          this.#equalApart(sub(need.a, need.b)) ??
          this.#bounded(need.a, need.b) ??
          this.#bounded(need.b, need.a) ??
          this.#factored(dimsOf(need), (by) => sameDim(substitute(need.a, by), substitute(need.b, by))) ??
          this.#divided(dimsOf(need), (by) => sameDim(substitute(need.a, by), substitute(need.b, by))) ??
          this.#solved(sub(need.a, need.b))
        );
      case "at least":
        return this.#atLeast(need.dim, need.least);
      case "one":
        return this.#hintOf(need.dim) === 1 ? this.#one(need.dim) : this.#atLeast(need.dim, 2);
      case "sign": {
        const [below, above] = [mul(-1, need.dim), need.dim];
        const isBelow = (this.#hintOf(need.dim) ?? 0) < 0;
        return isBelow
          ? this.#atLeast(below, 1)
          : (this.#atLeast(above, 0) ?? (this.#hints === undefined ? this.#atLeast(below, 1) : undefined));
      }
      case "multiple":
        return this.#factored([need.dim], (by) => {
          const quotient = sym("cleandiv", substitute(need.dim, by), need.of);
          return typeof quotient !== "number" && quotient.op !== "cleandiv";
        });
      default:
        return this.#factored(need.dims, (by) =>
          need.dims.every((dim) => typeof substitute(dim, by) === "number"),
        );
    }
  }

  #hintOf(dim: Dim): number | undefined {
    return this.#hints === undefined ? undefined : evaluate(dim, this.#hints);
  }

  /** The sizes for which an expression is 1; a size itself is a number then. */
  #one(dim: Dim): Step | undefined {
    if (typeof dim === "number" || dim.op === "symbol") return undefined;
    return this.#lowered(dim, 1) ?? this.#raised(dim, 1);
  }

  /** A symbol that is another size. */
  #equal(a: Dim, b: Dim): Step | undefined {
    if (typeof a === "number" || a.op !== "symbol" || !this.#known.has(a.key)) return undefined;
    if (typeof b === "number") return this.#hints === undefined ? undefined : { by: new Map([[a.key, b]]) };
    if (b.op !== "symbol" || !this.#known.has(b.key)) return undefined;
    const [x, y] = [this.#known.get(a.key)!.range!, this.#known.get(b.key)!.range!];
    const both = symbol(b.key, { min: Math.max(x.min, y.min), max: Math.min(x.max, y.max) });
    return {
      by: new Map([
        [a.key, both],
        [b.key, both],
      ]),
    };
  }

  /** Two symbols of which one is taken from the other, as in `x + 1` beside `y + 1`. */
  #equalApart(difference: Dim): Step | undefined {
    const [one, other, ...more] = termsOf(difference);
    if (one === undefined || other === undefined || more.length > 0) return undefined;
    return this.#equal(one, mul(-1, other)) ?? this.#equal(mul(-1, one), other);
  }

  /** `min(x, limit)` is x as long as x does not exceed the limit, `max(x, limit)` as long as it is not below it. */
  #bounded(a: Dim, b: Dim): Step | undefined {
    if (typeof a === "number" || (a.op !== "min" && a.op !== "max")) return undefined;
    const { op, args } = a as SymNode;
    const others = args.filter((arg) => !sameDim(arg, b));
    if (others.length === args.length) return undefined;
    const limit = sym(op, ...others);
    return op === "max" ? this.#raised(b, limit) : this.#lowered(b, limit);
  }

  /** The only symbol of some expressions, where they have one that is this.#known. */
  #onlySymbol(dims: readonly Dim[]): SymSymbol | undefined {
    const [name, ...others] = new Set(dims.flatMap((dim) => [...symbolsOf(dim)]));
    return name === undefined || others.length > 0 ? undefined : this.#known.get(name);
  }

  /** The least size from which an expression is at least `limit`. */
  #raised(dim: Dim, limit: Dim): Step | undefined {
    const size = this.#onlySymbol([dim, limit]);
    if (size === undefined) return undefined;
    const { min, max } = size.range!;
    const isMet = (from: number): boolean => {
      const by = new Map([[size.name, symbol(size.name, { min: from, max })]]);
      return isAtMost(substitute(limit, by), substitute(dim, by)) === true;
    };
    let [low, high] = [min, this.#hints?.get(size.name) ?? MOST_LEAST];
    if (!isMet(high)) return undefined;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (isMet(middle)) high = middle;
      else low = middle + 1;
    }
    return narrowed(size, { min: low, max });
  }

  /** The greatest size up to which an expression is at most `limit`. */
  #lowered(dim: Dim, limit: Dim): Step | undefined {
    const size = this.#onlySymbol([dim, limit]);
    if (size === undefined) return undefined;
    const { min, max } = size.range!;
    const isMet = (to: number): boolean => {
      const by = new Map([[size.name, symbol(size.name, { min, max: to })]]);
      return isAtMost(substitute(dim, by), substitute(limit, by)) === true;
    };
    let [low, high] = [this.#hints?.get(size.name) ?? min, Math.min(max, MOST_SIZE)];
    if (!isMet(low)) return undefined;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (isMet(middle)) low = middle;
      else high = middle - 1;
    }
    return narrowed(size, { min, max: low });
  }

  #atLeast(dim: Dim, value: number): Step | undefined {
    const line = linear(dim);
    const size = line === undefined ? undefined : this.#known.get(line.name);
    if (line === undefined || size === undefined) return undefined;
    const min = Math.ceil((value - line.offset) / line.factor);
    return narrowed(size, { min: Math.max(size.range!.min, min), max: size.range!.max });
  }

  /** A size that is a multiple of something, so that divisions by it come out even. */
  #factored(dims: readonly Dim[], isMet: (by: ReadonlyMap<string, Dim>) => boolean): Step | undefined {
    const names = new Set(dims.flatMap((dim) => [...symbolsOf(dim)]));
    for (const name of names) {
      const range = this.#known.get(name)?.range;
      if (range === undefined) continue;
      const hint = this.#hints?.get(name);
      for (const factor of FACTORS) {
        if (hint !== undefined && hint % factor !== 0) continue;
        const part = symbol(name, {
          min: Math.ceil(range.min / factor),
          max: Math.floor(range.max / factor),
        });
        const by = new Map<string, Dim>([[name, mul(factor, part)]]);
        if (!isMet(by)) continue;
        const hints = new Map(this.#hints ?? []);
        if (hint !== undefined) hints.set(name, hint / factor);
        return { by, hints: this.#hints === undefined ? undefined : hints };
      }
    }
    return undefined;
  }

  /** All sizes that are divided as multiples of what they are divided by. */
  #divided(dims: readonly Dim[], isMet: (by: ReadonlyMap<string, Dim>) => boolean): Step | undefined {
    const divisors = new Map<string, number>();
    for (const dim of dims) divisorsIn(dim, divisors);
    const by = new Map<string, Dim>();
    const hints = new Map(this.#hints ?? []);
    for (const [name, divisor] of divisors) {
      const range = this.#known.get(name)?.range;
      const hint = hints.get(name);
      if (range === undefined || (hint !== undefined && hint % divisor !== 0)) return undefined;
      const part = { min: Math.ceil(range.min / divisor), max: Math.floor(range.max / divisor) };
      by.set(name, mul(divisor, symbol(name, part)));
      if (hint !== undefined) hints.set(name, hint / divisor);
    }
    if (by.size < 2 || !isMet(by)) return undefined;
    return { by, hints: this.#hints === undefined ? undefined : hints };
  }

  /** The only value at which an expression of one symbol is 0. */
  #solved(difference: Dim): Step | undefined {
    const line = linear(difference) ?? linear(mul(-1, difference));
    if (line === undefined || !this.#known.has(line.name) || this.#hints === undefined) return undefined;
    const value = -line.offset / line.factor;
    return Number.isInteger(value) ? { by: new Map([[line.name, value]]) } : undefined;
  }
}

/** A symbol in a smaller range; undefined where that is none. */
export function narrowed(size: SymSymbol, range: Range): Step | undefined {
  const isNew = range.min > size.range!.min || range.max < size.range!.max;
  if (!isNew || range.min > range.max) return undefined;
  return { by: new Map([[size.name, symbol(size.name, range)]]) };
}

/** Notes what sizes are divided by, as in `height // 4`. */
function divisorsIn(dim: Dim, into: Map<string, number>): void {
  if (typeof dim === "number" || dim.op === "symbol") return;
  const { op, args } = dim as SymNode;
  const [a, b] = args;
  if (op === "floordiv" && typeof a === "object" && a.op === "symbol" && typeof b === "number")
    into.set(a.key, lcm(into.get(a.key) ?? 1, b));
  for (const arg of args) divisorsIn(arg, into);
}

function lcm(a: number, b: number): number {
  const gcd = (x: number, y: number): number => (y === 0 ? x : gcd(y, x % y));
  return (a / gcd(a, b)) * b;
}

/** dim = factor · symbol + offset, with a positive factor. */
function linear(dim: Dim): { name: string; factor: number; offset: number } | undefined {
  const [name, ...others] = symbolsOf(dim);
  if (name === undefined || others.length > 0) return undefined;
  const at = (value: number): Dim => substitute(dim, new Map([[name, value]]));
  const [zero, one] = [at(0), at(1)];
  if (typeof zero !== "number" || typeof one !== "number") return undefined;
  const factor = one - zero;
  const size = symbol(name);
  return factor > 0 && sameDim(add(mul(factor, size), zero), dim)
    ? { name, factor, offset: zero }
    : undefined;
}

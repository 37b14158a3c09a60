import { boundsOf, isAtMost } from "../graph/bounds.ts";
import type { TensorType } from "../graph/ir.ts";
import {
  add,
  type Dim,
  evaluate,
  keyOf,
  mul,
  type SymNode,
  type SymSymbol,
  sameDim,
  sub,
  substitute,
  sym,
  symbol,
  symbolsOf,
} from "../graph/sym.ts";
import type { InputTypes } from "./script-inputs.ts";
import { dimsOf, type SizeNeed } from "./size-need.ts";

type Range = NonNullable<SymSymbol["range"]>;

/**
 * What is known of the sizes of a program's inputs while it is read again and again: at first each is a symbol of its own, then some
 * turn out to be equal, multiples, bounded, or numbers. The sizes of the example (hints) tell which of several ways to meet a need is
 * the one that the example took; without them only equalities, bounds and multiples are learnt, never numbers.
 */
export class SizeFacts {
  readonly #inputs: InputTypes;
  readonly #hints: ReadonlyMap<string, number> | undefined;
  /** Why a size of the example is the only one, by the name it had while it was free. */
  readonly #reasons: ReadonlyMap<string, string>;

  private constructor(
    inputs: InputTypes,
    hints: ReadonlyMap<string, number> | undefined,
    reasons: ReadonlyMap<string, string>,
  ) {
    this.#inputs = inputs;
    this.#hints = hints;
    this.#reasons = reasons;
  }

  /**
   * Every size of the example becomes a symbol; sizes of 0 stay what they are. With `isBatch`, the first size that all inputs have in
   * common is one symbol, and so is the second one of token ids and masks: requests are batched and padded along them.
   */
  static ofExample(example: InputTypes, { isBatch }: { readonly isBatch: boolean }): SizeFacts {
    const hints = new Map<string, number>();
    const shared = isBatch ? sharedSizes(example) : new Map<string, string>();
    const freed = (name: string, type: TensorType): TensorType => ({
      ...type,
      dims: type.dims.map((dim, axis) => {
        if (typeof dim !== "number" || dim === 0) return dim;
        const own = sizeName(name, axis);
        const size = symbol(shared.get(own) ?? own, { min: 0, max: Number.POSITIVE_INFINITY });
        hints.set(size.name, dim);
        return size;
      }),
    });
    const inputs = new Map(
      [...example].map(([name, type]) => [name, type === undefined ? undefined : freed(name, type)] as const),
    );
    return new SizeFacts(inputs, hints, new Map());
  }

  /** The sizes that a user states. */
  static ofStated(inputs: InputTypes): SizeFacts {
    return new SizeFacts(inputs, undefined, new Map());
  }

  /** Whether a user states the sizes, so that none becomes a number in a further reading. */
  get areStated(): boolean {
    return this.#hints === undefined;
  }

  /** The inputs as far as they are known. */
  get inputs(): InputTypes {
    return this.#inputs;
  }

  /** What a user of a traced program should know about sizes that are not free. */
  warnings(): string[] {
    return [...this.#inputs].flatMap(([name, type]) =>
      (type?.dims ?? []).flatMap((dim, axis) => {
        const reason = this.#reasons.get(sizeName(name, axis));
        if (reason === undefined || typeof dim !== "number") return [];
        return [`dimension ${axis} of '${name}' is fixed at ${dim}, as traced: ${reason}`];
      }),
    );
  }

  /** The symbols of the inputs' sizes, by name. */
  symbols(): Map<string, SymSymbol> {
    const found = new Map<string, SymSymbol>();
    const visit = (dim: Dim): void => {
      if (typeof dim === "number") return;
      if (dim.op === "symbol") found.set((dim as SymSymbol).name, dim as SymSymbol);
      else for (const arg of (dim as SymNode).args) visit(arg);
    };
    for (const type of this.#inputs.values()) for (const dim of type?.dims ?? []) visit(dim);
    return found;
  }

  /** The facts under which a need is met, or met better; undefined when it cannot be: it depends on the data, or on what a user states. */
  learn(need: SizeNeed, reason: string): SizeFacts | undefined {
    const known = this.symbols();
    const names = new Set(
      dimsOf(need).flatMap((dim) => [...symbolsOf(dim)].filter((name) => known.has(name))),
    );
    if (names.size === 0) return undefined;
    const isAsInExample = this.#isAsInExample(need);
    const step = isAsInExample ? this.#step(need, known) : undefined;
    if (step !== undefined) {
      const next = this.#with(step.by, step.hints);
      if (!next.#hasTwoForms()) return next;
    }
    const isMeetable =
      isAsInExample && step === undefined && (need.kind !== "same" || dimsOf(need).some(isCalculated));
    const some = isMeetable ? this.#some(names, known) : undefined;
    if (some !== undefined) return some;
    if (this.#hints === undefined) return undefined;
    // Sizes that do not fit together fail in PyTorch as well, but for few others: no user asks for them, except for another batch.
    return this.pinned(pinnable(need, names, this.#hints), need.kind === "same" ? { batch: reason } : reason);
  }

  /** The same without the empty tensors that one of these sizes allows. */
  #some(names: ReadonlySet<string>, known: ReadonlyMap<string, SymSymbol>): SizeFacts | undefined {
    for (const name of names) {
      const { range } = known.get(name)!;
      const step = range!.min < 1 ? narrowed(known.get(name)!, { min: 1, max: range!.max }) : undefined;
      if (step !== undefined) return this.#with(step.by, step.hints);
    }
    return undefined;
  }

  /** These symbols as the numbers of the example. */
  pinned(names: Iterable<string>, reason: Reason): SizeFacts | undefined {
    const by = new Map<string, Dim>();
    for (const name of names) {
      const hint = this.#hints?.get(name);
      if (hint !== undefined) by.set(name, hint);
    }
    return by.size === 0 ? undefined : this.#with(by, this.#hints, reason);
  }

  /** Whether the example meets the need in the way that is meant: a size of 1 that is broadcast does not. */
  #isAsInExample(need: SizeNeed): boolean {
    const hints = this.#hints;
    if (hints === undefined) return true;
    const [a, b] = dimsOf(need).map((dim) => evaluate(dim, hints));
    switch (need.kind) {
      case "same":
        return a !== undefined && a === b;
      case "at least":
        return a !== undefined && a >= need.least;
      case "multiple":
        return a !== undefined && a % need.of === 0;
      default:
        return true;
    }
  }

  #step(need: SizeNeed, known: ReadonlyMap<string, SymSymbol>): Step | undefined {
    switch (need.kind) {
      case "same":
        return (
          this.#equal(need.a, need.b, known) ??
          this.#equal(need.b, need.a, known) ??
          this.#bounded(need.a, need.b, known) ??
          this.#bounded(need.b, need.a, known) ??
          this.#factored(known, dimsOf(need), (by) =>
            sameDim(substitute(need.a, by), substitute(need.b, by)),
          ) ??
          this.#divided(known, dimsOf(need), (by) =>
            sameDim(substitute(need.a, by), substitute(need.b, by)),
          ) ??
          this.#solved(sub(need.a, need.b), known)
        );
      case "at least":
        return this.#atLeast(need.dim, need.least, known);
      case "one":
        return this.#hintOf(need.dim) === 1 ? this.#one(need.dim, known) : this.#atLeast(need.dim, 2, known);
      case "sign": {
        const [below, above] = [mul(-1, need.dim), need.dim];
        const isBelow = (this.#hintOf(need.dim) ?? 0) < 0;
        return isBelow
          ? this.#atLeast(below, 1, known)
          : (this.#atLeast(above, 0, known) ??
              (this.#hints === undefined ? this.#atLeast(below, 1, known) : undefined));
      }
      case "multiple":
        return this.#factored(known, [need.dim], (by) => {
          const quotient = sym("cleandiv", substitute(need.dim, by), need.of);
          return typeof quotient !== "number" && quotient.op !== "cleandiv";
        });
      default:
        return this.#factored(known, need.dims, (by) =>
          need.dims.every((dim) => typeof substitute(dim, by) === "number"),
        );
    }
  }

  #hintOf(dim: Dim): number | undefined {
    return this.#hints === undefined ? undefined : evaluate(dim, this.#hints);
  }

  /** The sizes for which an expression is 1; a size itself is a number then. */
  #one(dim: Dim, known: ReadonlyMap<string, SymSymbol>): Step | undefined {
    if (typeof dim === "number" || dim.op === "symbol") return undefined;
    return this.#lowered(dim, 1, known) ?? this.#raised(dim, 1, known);
  }

  /** A symbol that is another size. */
  #equal(a: Dim, b: Dim, known: ReadonlyMap<string, SymSymbol>): Step | undefined {
    if (typeof a === "number" || a.op !== "symbol" || !known.has(a.key)) return undefined;
    if (typeof b === "number") return this.#hints === undefined ? undefined : { by: new Map([[a.key, b]]) };
    if (b.op !== "symbol" || !known.has(b.key)) return undefined;
    const [x, y] = [known.get(a.key)!.range!, known.get(b.key)!.range!];
    const both = symbol(b.key, { min: Math.max(x.min, y.min), max: Math.min(x.max, y.max) });
    return {
      by: new Map([
        [a.key, both],
        [b.key, both],
      ]),
    };
  }

  /** `min(x, limit)` is x as long as x does not exceed the limit, `max(x, limit)` as long as it is not below it. */
  #bounded(a: Dim, b: Dim, known: ReadonlyMap<string, SymSymbol>): Step | undefined {
    if (typeof a === "number" || (a.op !== "min" && a.op !== "max")) return undefined;
    const { op, args } = a as SymNode;
    const others = args.filter((arg) => !sameDim(arg, b));
    if (others.length === args.length) return undefined;
    const limit = sym(op, ...others);
    return op === "max" ? this.#raised(b, limit, known) : this.#lowered(b, limit, known);
  }

  /** The only symbol of some expressions, where they have one that is known. */
  #onlySymbol(dims: readonly Dim[], known: ReadonlyMap<string, SymSymbol>): SymSymbol | undefined {
    const [name, ...others] = new Set(dims.flatMap((dim) => [...symbolsOf(dim)]));
    return name === undefined || others.length > 0 ? undefined : known.get(name);
  }

  /** The least size from which an expression is at least `limit`. */
  #raised(dim: Dim, limit: Dim, known: ReadonlyMap<string, SymSymbol>): Step | undefined {
    const size = this.#onlySymbol([dim, limit], known);
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
  #lowered(dim: Dim, limit: Dim, known: ReadonlyMap<string, SymSymbol>): Step | undefined {
    const size = this.#onlySymbol([dim, limit], known);
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

  #atLeast(dim: Dim, value: number, known: ReadonlyMap<string, SymSymbol>): Step | undefined {
    const line = linear(dim);
    const size = line === undefined ? undefined : known.get(line.name);
    if (line === undefined || size === undefined) return undefined;
    const min = Math.ceil((value - line.offset) / line.factor);
    return narrowed(size, { min: Math.max(size.range!.min, min), max: size.range!.max });
  }

  /** A size that is a multiple of something, so that divisions by it come out even. */
  #factored(
    known: ReadonlyMap<string, SymSymbol>,
    dims: readonly Dim[],
    isMet: (by: ReadonlyMap<string, Dim>) => boolean,
  ): Step | undefined {
    const names = new Set(dims.flatMap((dim) => [...symbolsOf(dim)]));
    for (const name of names) {
      const range = known.get(name)?.range;
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
  #divided(
    known: ReadonlyMap<string, SymSymbol>,
    dims: readonly Dim[],
    isMet: (by: ReadonlyMap<string, Dim>) => boolean,
  ): Step | undefined {
    const divisors = new Map<string, number>();
    for (const dim of dims) divisorsIn(dim, divisors);
    const by = new Map<string, Dim>();
    const hints = new Map(this.#hints ?? []);
    for (const [name, divisor] of divisors) {
      const range = known.get(name)?.range;
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
  #solved(difference: Dim, known: ReadonlyMap<string, SymSymbol>): Step | undefined {
    const line = linear(difference) ?? linear(mul(-1, difference));
    if (line === undefined || !known.has(line.name) || this.#hints === undefined) return undefined;
    const value = -line.offset / line.factor;
    return Number.isInteger(value) ? { by: new Map([[line.name, value]]) } : undefined;
  }

  #with(
    by: ReadonlyMap<string, Dim>,
    hints: ReadonlyMap<string, number> | undefined,
    reason?: Reason,
  ): SizeFacts {
    const reasons = new Map(this.#reasons);
    const replaced = (name: string, type: TensorType): TensorType => ({
      ...type,
      dims: type.dims.map((dim, axis) => {
        const next = substitute(dim, by);
        const why = typeof reason === "object" ? (axis === 0 ? reason.batch : undefined) : reason;
        if (why !== undefined && typeof next === "number" && typeof dim !== "number")
          reasons.set(sizeName(name, axis), why);
        return next;
      }),
    });
    const inputs = new Map(
      [...this.#inputs].map(
        ([name, type]) => [name, type === undefined ? undefined : replaced(name, type)] as const,
      ),
    );
    return new SizeFacts(inputs, hints ?? this.#hints, reasons);
  }

  /** Whether a symbol is one input's size and a part of another's: requests are only checked for equal sizes, not for such ties. */
  #hasTwoForms(): boolean {
    const forms = new Map<string, string>();
    for (const type of this.#inputs.values()) {
      for (const dim of type?.dims ?? []) {
        for (const name of symbolsOf(dim)) {
          if ((forms.get(name) ?? keyOf(dim)) !== keyOf(dim)) return true;
          forms.set(name, keyOf(dim));
        }
      }
    }
    return false;
  }
}

/** Why sizes became numbers; `batch` says it of first dimensions alone. */
type Reason = string | { readonly batch: string };

interface Step {
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

/** For sizes that several inputs have in common, the name of the first input's. */
function sharedSizes(example: InputTypes): Map<string, string> {
  const shared = new Map<string, string>();
  const join = (axis: number, isIn: (type: TensorType) => boolean): void => {
    const inputs = [...example].filter(([, type]) => type !== undefined && isIn(type));
    const sizes = new Set(inputs.map(([, type]) => type!.dims[axis]));
    if (sizes.size !== 1) return;
    const [first] = inputs;
    for (const [name] of inputs) shared.set(sizeName(name, axis), sizeName(first![0], axis));
  };
  join(0, ({ dims }) => dims.length > 0);
  join(1, ({ dtype, dims }) => dims.length > 1 && /^(u?int|bool)/.test(dtype));
  return shared;
}

/** The name of a size of an input that nobody has named. */
function sizeName(input: string, axis: number): string {
  return `${input}_${axis}`;
}

function narrowed(size: SymSymbol, range: Range): Step | undefined {
  const isNew = range.min > size.range!.min || range.max < size.range!.max;
  if (!isNew || range.min > range.max) return undefined;
  return { by: new Map([[size.name, symbol(size.name, range)]]) };
}

/** Which symbols become numbers: where a size of 1 is broadcast, it alone. */
function pinnable(
  need: SizeNeed,
  names: ReadonlySet<string>,
  hints: ReadonlyMap<string, number>,
): Iterable<string> {
  if (need.kind !== "same") return names;
  for (const dim of [need.a, need.b]) {
    const own = [...symbolsOf(dim)].filter((name) => names.has(name));
    if (own.length > 0 && evaluate(dim, hints) === 1) return own;
  }
  return names;
}

function isCalculated(dim: Dim): boolean {
  return typeof dim !== "number" && dim.op !== "symbol";
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

/** Whether a size is 1, which decides ranks: undefined where the caller decides. */
export function isOne(dim: Dim): boolean | undefined {
  if (typeof dim === "number") return dim === 1;
  const { min, max } = boundsOf(dim);
  if (min === 1 && max === 1) return true;
  return min >= 2 || max < 1 ? false : undefined;
}

import type { TensorType } from "../graph/ir.ts";
import {
  type Dim,
  evaluate,
  keyOf,
  type SymNode,
  type SymSymbol,
  substitute,
  symbol,
  symbolsOf,
} from "../graph/sym.ts";
import type { InputTypes } from "./script-inputs.ts";
import { dimsOf, type SizeNeed } from "./size-need.ts";
import { narrowed, SizeSteps } from "./size-steps.ts";

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
    const step = isAsInExample ? new SizeSteps(known, this.#hints).step(need) : undefined;
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

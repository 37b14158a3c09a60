import type { Dim } from "../../base/signature.ts";

/** What is known of the sizes of one class. */
interface Facts {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  readonly multipleOf: number;
  readonly example: number | undefined;
}

/** A dimension of which others may have to be the same size. */
export interface SizeClass {
  parent: SizeClass | undefined;
  facts: Facts;
}

/** A class of its own, for a dimension as a model's signature has it. */
export function sizeClass(dim: Dim): SizeClass {
  const facts: Facts =
    typeof dim === "number"
      ? { name: "", min: dim, max: dim, multipleOf: 1, example: undefined }
      : {
          name: dim.symbol,
          min: Math.max(0, dim.min),
          max: dim.max ?? Number.POSITIVE_INFINITY,
          multipleOf: dim.multipleOf ?? 1,
          example: dim.example,
        };
  return { parent: undefined, facts };
}

export function rootOf(one: SizeClass): SizeClass {
  let root = one;
  while (root.parent !== undefined) root = root.parent;
  return root;
}

/** Makes two classes one. False when no size is in both; then they stay as they were. */
export function joinSizes(a: SizeClass, b: SizeClass): boolean {
  const [kept, gone] = [rootOf(a), rootOf(b)];
  if (kept === gone) return true;
  const multipleOf = leastCommonMultiple(kept.facts.multipleOf, gone.facts.multipleOf);
  const min = Math.ceil(Math.max(kept.facts.min, gone.facts.min) / multipleOf) * multipleOf;
  const max = Math.min(kept.facts.max, gone.facts.max);
  if (min > max) return false;
  const example = [kept.facts.example, gone.facts.example].find(
    (size) => size !== undefined && size >= min && size <= max && size % multipleOf === 0,
  );
  const isNameless = kept.facts.min === kept.facts.max || kept.facts.name === "";
  const name = isNameless ? gone.facts.name : kept.facts.name;
  kept.facts = { name, min, max, multipleOf, example };
  gone.parent = kept;
  return true;
}

/** In words, for a message. */
export function sizeText(one: SizeClass): string {
  const { min, max, multipleOf } = rootOf(one).facts;
  if (min === max) return `${min}`;
  const range = max === Number.POSITIVE_INFINITY ? `at least ${min}` : `${min} to ${max}`;
  return multipleOf === 1 ? range : `${range}, a multiple of ${multipleOf}`;
}

/** Turns classes into dimensions: equal ones get the same symbol, others never do. */
export class DimNames {
  readonly #symbols = new Map<SizeClass, string>();
  readonly #taken = new Set<string>();

  dimOf(one: SizeClass): Dim {
    const root = rootOf(one);
    const { min, max, multipleOf, example } = root.facts;
    if (min === max) return min;
    return {
      symbol: this.#symbolOf(root),
      min,
      max: max === Number.POSITIVE_INFINITY ? undefined : max,
      multipleOf,
      ...(example !== undefined && { example }),
    };
  }

  #symbolOf(root: SizeClass): string {
    const known = this.#symbols.get(root);
    if (known !== undefined) return known;
    const { name } = root.facts;
    let symbol = name;
    for (let number = 2; this.#taken.has(symbol); number++) symbol = `${name}_${number}`;
    this.#taken.add(symbol);
    this.#symbols.set(root, symbol);
    return symbol;
  }
}

function leastCommonMultiple(a: number, b: number): number {
  let [x, y] = [a, b];
  while (y !== 0) [x, y] = [y, x % y];
  return (a / x) * b;
}

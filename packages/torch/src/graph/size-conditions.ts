import { type Dim, factorsOf, keyOf, product, type SymNode, sub, sym } from "./sym.ts";

/** Conditions on sizes are sizes themselves: 1 where they hold, 0 where they do not. */

function isSize(size: Dim, value: Dim): Dim {
  const other = isOtherSize(size, value);
  if (typeof other === "number") return 1 - other;
  return other.op === "ne" ? sym("eq", ...(other as SymNode).args) : sym("not", other);
}

/** Of sizes none of which is 0. */
function isOtherSize(size: Dim, value: Dim): Dim {
  const [a, b] = withoutCommon(size, value);
  const difference = sub(a, b);
  if (typeof difference === "number") return difference === 0 ? 0 : 1;
  if (a === 1 || b === 1) {
    const factors = factorsOf(a === 1 ? b : a);
    if (factors.length > 1) return anyOf(factors.map((factor) => isOtherSize(factor, 1)));
  }
  return typeof a === "number" ? sym("ne", b, a) : sym("ne", a, b);
}

/** Both without the factors that they have in common. */
function withoutCommon(a: Dim, b: Dim): readonly [Dim, Dim] {
  const [left, right] = [[...factorsOf(a)], [...factorsOf(b)]];
  for (const factor of factorsOf(a)) {
    const at = right.findIndex((other) => keyOf(other) === keyOf(factor));
    if (at === -1) continue;
    right.splice(at, 1);
    left.splice(left.indexOf(factor), 1);
  }
  return [product(left), product(right)];
}

function allOf(conditions: readonly Dim[]): Dim {
  return joined("and", conditions);
}

export function anyOf(conditions: readonly Dim[]): Dim {
  return joined("or", conditions);
}

/** Without what decides nothing, repetitions, and what says no more than another part. */
function joined(op: "and" | "or", conditions: readonly Dim[]): Dim {
  const neutral = op === "and" ? 1 : 0;
  const flat = conditions.flatMap((part) => partsOf(op, part));
  if (flat.includes(1 - neutral)) return 1 - neutral;
  const parts = new Map(flat.filter((part) => part !== neutral).map((part) => [keyOf(part), part]));
  const inner = op === "and" ? "or" : "and";
  const keys = [...parts.values()].map((part) => new Set(partsOf(inner, part).map(keyOf)));
  const left = [...parts.values()].filter((_, i) => {
    const own = keys[i]!;
    return !keys.some((other) => other.size < own.size && [...other].every((key) => own.has(key)));
  });
  if (left.length === 0) return neutral;
  left.sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  return left.length === 1 ? left[0]! : sym(op, ...left);
}

/** What an `and` or an `or` joins; anything else is its own only part. */
export function partsOf(op: "and" | "or", condition: Dim): readonly Dim[] {
  return typeof condition !== "number" && condition.op === op ? (condition as SymNode).args : [condition];
}

/** Whether a tensor is not row-major without holes. What is empty may count as either. */
export function isSparse(dims: readonly Dim[], strides: readonly Dim[]): Dim {
  return anyOf(
    dims.map((size, axis) =>
      allOf([isOtherSize(size, 1), isOtherSize(strides[axis]!, product(dims.slice(axis + 1)))]),
    ),
  );
}

/**
 * Whether a tensor cannot be shown with other sizes without a copy: two of its dimensions do not lie behind each other, and would be one or
 * part of one. What is empty may count as either.
 */
export function isUnviewable(dims: readonly Dim[], strides: readonly Dim[], sizes: readonly Dim[]): Dim {
  const ends = [...sizes.map((_, axis) => product(sizes.slice(axis))), 1];
  const breaks: Dim[] = [];
  for (const [outer, size] of dims.entries()) {
    for (let inner = outer + 1; inner < dims.length; inner++) {
      const end = product(dims.slice(inner));
      breaks.push(
        allOf([
          ...dims.slice(outer + 1, inner).map((between) => isSize(between, 1)),
          isOtherSize(size, 1),
          isOtherSize(dims[inner]!, 1),
          isOtherSize(strides[outer]!, product([dims[inner]!, strides[inner]!])),
          ...ends.map((other) => isOtherSize(end, other)),
        ]),
      );
    }
  }
  return anyOf(breaks);
}

import { boundsOf, greatest, least } from "../../graph/bounds.ts";
import { add, type Dim, keyOf, mul, product, type SymNode, sameDim, sub, sym } from "../../graph/sym.ts";
import { isDataSize } from "../size-need.ts";
import { UnprovenSize, unsupportedOp } from "../unsupported-op.ts";

/** Throws unless both are the same size: a refusal for numbers, UnprovenSize when one depends on the caller. */
export function requireSame(a: Dim, b: Dim): void {
  if (sameDim(a, b)) return;
  if (typeof a === "number" && typeof b === "number") unsupportedOp(`sizes ${a} and ${b} do not match`);
  const [left, right] = withoutCommon(a, b);
  throw new UnprovenSize(`sizes ${keyOf(a)} and ${keyOf(b)} agree for some inputs only`, {
    kind: "same",
    a: left,
    b: right,
  });
}

/** Two products without the factors that they have in common. */
function withoutCommon(a: Dim, b: Dim): [Dim, Dim] {
  const [left, right] = [factors(a), factors(b)];
  for (const factor of [...left]) {
    const at = right.findIndex((other) => sameDim(other, factor));
    if (at < 0) continue;
    right.splice(at, 1);
    left.splice(left.indexOf(factor), 1);
  }
  return [product(left), product(right)];
}

/** Throws unless a size that the caller chooses is known not to be 0. */
export function requireSome(dim: Dim): void {
  if (typeof dim === "number" || boundsOf(dim).min > 0 || boundsOf(dim).max < 0 || isDataSize(dim)) return;
  throw new UnprovenSize(`the size ${keyOf(dim)} may be 0`, { kind: "at least", dim, least: 1 });
}

/** Throws unless a size is known to be at least `limit`: a refusal for numbers, UnprovenSize when the caller decides. */
export function requireAtLeast(dim: Dim, limit: Dim): void {
  const room = sub(dim, limit);
  if (boundsOf(room).min >= 0 || isDataSize(room)) return;
  if (typeof room === "number") unsupportedOp(`a size of ${keyOf(dim)} is less than ${keyOf(limit)}`);
  throw new UnprovenSize(`the size ${keyOf(dim)} may be less than ${keyOf(limit)}`, {
    kind: "at least",
    dim: room,
    least: 0,
  });
}

/** A size that must be a number here. */
export function numeric(dim: Dim): number {
  if (typeof dim === "number") return dim;
  throw new UnprovenSize(`the size ${keyOf(dim)} is needed as a number`, { kind: "numbers", dims: [dim] });
}

/** PyTorch's broadcasting of two or more shapes. */
export function broadcast(...shapes: readonly (readonly Dim[])[]): Dim[] {
  const rank = Math.max(0, ...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, axis) => {
    let result: Dim = 1;
    for (const shape of shapes) {
      const dim = shape[axis - rank + shape.length] ?? 1;
      if (dim === 1) continue;
      if (result !== 1) requireSame(result, dim);
      result = dim;
    }
    return result;
  });
}

/** An axis counted from the end made positive. A 0-d tensor has one axis for this. */
export function axisOf(axis: number, rank: number): number {
  const bound = Math.max(rank, 1);
  const positive = axis < 0 ? axis + bound : axis;
  if (positive < 0 || positive >= bound) unsupportedOp(`dimension ${axis} of a tensor of rank ${rank}`);
  return positive;
}

/** total / part where part divides it: equal factors cancel. */
export function quotient(total: Dim, part: Dim): Dim {
  const above = factors(total);
  let divisor = 1;
  for (const factor of factors(part)) {
    if (typeof factor === "number") {
      divisor *= factor;
      continue;
    }
    const at = above.findIndex((other) => sameDim(other, factor));
    if (at < 0) {
      const dims = [total, part];
      throw new UnprovenSize(`the size ${keyOf(total)} is divided by ${keyOf(part)}`, {
        kind: "numbers",
        dims,
      });
    }
    requireSome(factor);
    above.splice(at, 1);
  }
  if (divisor === 0) unsupportedOp("a size is inferred from an empty tensor");
  const rest = product(above);
  const result = sym("cleandiv", rest, divisor);
  const isWhole = typeof result === "number" ? Number.isInteger(result) : result.op !== "cleandiv";
  if (isWhole) return result;
  if (typeof rest === "number") unsupportedOp(`a size of ${rest} is divided by ${divisor}`);
  throw new UnprovenSize(`the size ${keyOf(rest)} is divided by ${divisor}`, {
    kind: "multiple",
    dim: rest,
    of: divisor,
  });
}

/** The shape that `view` and its kin ask for, with -1 filled in. */
export function reshaped(dims: readonly Dim[], sizes: readonly Dim[]): Dim[] {
  const total = product(dims);
  const free = sizes.indexOf(-1);
  if (free < 0) {
    requireSame(total, product(sizes));
    return [...sizes];
  }
  const known = product(sizes.filter((_, i) => i !== free));
  return sizes.map((size, i) => (i === free ? quotient(total, known) : size));
}

/** How many elements of an axis `start:end:step` keeps. */
export function sliceLength(dim: Dim, { start, end, step }: { start: Dim; end: Dim; step: number }): Dim {
  const from = sliceBound(dim, start);
  const length = greatest(0, sub(sliceBound(dim, end), from));
  return step === 1 ? length : sym("floordiv", add(length, step - 1), step);
}

/** A position in an axis as a slice takes it: counted from the end where it is negative, moved to the nearest end where it lies outside. */
function sliceBound(dim: Dim, position: Dim): Dim {
  if (typeof position === "number" && position >= Number.MAX_SAFE_INTEGER) return dim;
  const { min, max } = boundsOf(position);
  if (min >= 0) return least(position, dim);
  if (max < 0) return greatest(0, add(position, dim));
  throw new UnprovenSize(`whether the position ${keyOf(position)} is counted from the end`, {
    kind: "sign",
    dim: position,
  });
}

/** The factors of a product; those that all terms of a sum have in common, too. */
function factors(dim: Dim): Dim[] {
  if (typeof dim === "number" || dim.op === "symbol") return [dim];
  const { op, args } = dim as SymNode;
  if (op === "mul") return args.flatMap(factors);
  const common = op === "add" ? args.map(constantFactor).reduce(gcd) : 1;
  return common > 1 ? [common, sym("cleandiv", dim, common)] : [dim];
}

function constantFactor(term: Dim): number {
  if (typeof term === "number") return Math.abs(term);
  const [first] = term.op === "mul" ? (term as SymNode).args : [];
  return typeof first === "number" && Number.isInteger(first) ? Math.abs(first) : 1;
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}

/** (in + padding − dilation·(kernel − 1) − 1) // stride + 1 */
export function windowCount(
  dim: Dim,
  window: { kernel: number; stride: number; padding: number; dilation: number },
): Dim {
  const { kernel, stride, padding, dilation } = window;
  const span = sub(dim, dilation * (kernel - 1) + 1 - padding);
  const count = sub(sym("floordiv", span, stride), -1);
  if (typeof count === "number" && count < 1) unsupportedOp("its window is larger than its input");
  return count;
}

/** total / part, rounded up. */
export function ceilDivide(total: Dim, part: number): Dim {
  return sym("floordiv", add(total, part - 1), part);
}

/** The sum of two sizes. What a size lacks to the next multiple of k makes it that multiple: x + -x % k is k · ⌈x / k⌉. */
export function sumOfSizes(a: Dim, b: Dim): Dim {
  const total = add(a, b);
  const terms = typeof total !== "number" && total.op === "add" ? (total as SymNode).args : [];
  for (const term of terms) {
    if (typeof term === "number" || term.op !== "mod") continue;
    const [lack, by] = (term as SymNode).args as [Dim, Dim];
    if (typeof by !== "number" || by < 1) continue;
    const size = mul(-1, lack);
    const rest = sub(sub(total, term), size);
    if (countTerms(rest) <= countTerms(total) - 2) return add(rest, mul(by, ceilDivide(size, by)));
  }
  return total;
}

function countTerms(dim: Dim): number {
  if (dim === 0) return 0;
  return typeof dim !== "number" && dim.op === "add" ? (dim as SymNode).args.length : 1;
}

/** Whether a size is 1, which decides ranks: undefined where the caller decides. */
export function isOne(dim: Dim): boolean | undefined {
  if (typeof dim === "number") return dim === 1;
  const { min, max } = boundsOf(dim);
  if (min === 1 && max === 1) return true;
  return min >= 2 || max < 1 ? false : undefined;
}

import { least } from "../../graph/bounds.ts";
import { add, type Dim } from "../../graph/sym.ts";
import { positions } from "../core/arange.ts";
import { countedLoops } from "../core/counted-loop.ts";
import type { Emitter } from "../core/emitter.ts";
import type { Tensor, Val } from "../core/tensor.ts";
import { batchOf, diagonalOf, identity, outerProduct, part, shapeOf, taken } from "./matrices.ts";

/** A matrix after Gauss's elimination with partial pivoting, as LAPACK's getrf does it. */
export interface Eliminated {
  /** The upper triangle; below it the factors, or with `isFull` what is left of the columns. */
  readonly matrix: Tensor;
  /** [..., rows]: which of the rows given is at each place. */
  readonly order: Val;
  /** [...]: 1, or -1 after an odd number of exchanges. */
  readonly sign: Val;
  /** [..., rows]: with which row each one was exchanged, where that was done. */
  readonly exchanges: Val;
  /** [..., rows, columns]: the size of what was added up to each element. */
  readonly terms: Val;
}

/** Eliminates the first columns, as many as there are rows, of [..., rows, columns]; with `isFull` above the diagonal too (Gauss and Jordan). */
export function eliminate(
  g: Emitter,
  given: Tensor,
  { isFull = false }: { readonly isFull?: boolean } = {},
): Eliminated {
  const [rows, columns] = shapeOf(given);
  const batch = batchOf(given);
  const [rowNumbers, columnNumbers] = [positions(g, rows), positions(g, columns)];
  const size = g.shape(given.dims);
  const initial = [
    given,
    g.expand(rowNumbers, [...batch, rows]),
    g.expand(g.scalar("float64", 1), batch),
    g.op("Abs", [given]),
    g.expand(rowNumbers, [...batch, rows]),
  ];
  const count = g.number(least(rows, columns), "int64");
  const [matrix, order, sign, terms, exchanges] = countedLoops(g, { count, initial }, (at, turn, soFar) => {
    const swapped = exchanged(at, soFar, { turn, rowNumbers, size });
    const [values, , , sizes] = swapped;
    const row = taken(at, values!, { axis: -2, at: turn });
    const column = taken(at, values!, { axis: -1, at: turn });
    const pivot = at.op("Gather", [row, at.unsqueeze(turn, [0])], { axis: -1 });
    const isTarget = isFull
      ? at.op("Not", [at.op("Equal", [rowNumbers, turn])])
      : at.op("Greater", [rowNumbers, turn]);
    const zero = at.scalar("float64", 0);
    const divisor = at.where(at.op("Equal", [pivot, zero]), at.scalar("float64", 1), pivot);
    const factors = at.where(isTarget, at.op("Div", [column, divisor]), zero);
    const isRight = at.op("Greater", [columnNumbers, turn]);
    const change = outerProduct(at, factors, at.where(isRight, row, zero));
    const isPlace = at.op("And", [at.unsqueeze(isTarget, [1]), at.op("Equal", [columnNumbers, turn])]);
    const kept = at.where(isPlace, at.unsqueeze(factors, [-1]), values!);
    return [
      at.op("Sub", [kept, change]),
      swapped[1]!,
      swapped[2]!,
      at.op("Add", [sizes!, at.op("Abs", [change])]),
      swapped[4]!,
    ];
  });
  return {
    matrix: g.typed(matrix!, given.dims),
    order: order!,
    sign: sign!,
    terms: terms!,
    exchanges: exchanges!,
  };
}

interface Exchange {
  readonly turn: Val;
  readonly rowNumbers: Val;
  readonly size: Val;
}

/** All values with the row of the largest element at the turn's place. */
function exchanged(
  at: Emitter,
  [values, order, sign, terms, exchanges]: readonly Val[],
  { turn, rowNumbers, size }: Exchange,
): Val[] {
  const column = taken(at, values!, { axis: -1, at: turn });
  const isDone = at.op("Less", [rowNumbers, turn]);
  const candidates = at.where(isDone, at.scalar("float64", -1), at.op("Abs", [column]));
  const best = at.op("ArgMax", [candidates], { axis: -1, keepdims: 1 });
  const isTurn = at.op("Equal", [rowNumbers, turn]);
  const from = at.where(isTurn, best, at.where(at.op("Equal", [rowNumbers, best]), turn, rowNumbers));
  const rowsFrom = at.op("Expand", [at.unsqueeze(from, [-1]), size]);
  const isSame = at.squeeze(at.op("Equal", [best, turn]), [-1]);
  return [
    at.op("GatherElements", [values!, rowsFrom], { axis: -2 }),
    at.op("GatherElements", [order!, from], { axis: -1 }),
    at.where(isSame, sign!, at.op("Neg", [sign!])),
    at.op("GatherElements", [terms!, rowsFrom], { axis: -2 }),
    at.where(isTurn, best, exchanges!),
  ];
}

/** [..., rows]: which pivots are 0; of a float32 matrix also those that are no more than rounding. */
export function zeroPivots(
  g: Emitter,
  { matrix, terms }: Eliminated,
  { rows, isExact }: { rows: Dim; isExact: boolean },
): Val {
  const pivots = g.op("Abs", [diagonalOf(g, matrix, rows)]);
  if (isExact) return g.op("Equal", [pivots, g.scalar("float64", 0)]);
  const rounding = g.op("Mul", [g.number(rows, "float64"), g.scalar("float64", Number.EPSILON)]);
  return g.op("LessOrEqual", [pivots, g.op("Mul", [diagonalOf(g, terms, rows), rounding])]);
}

/** X of A X = B, by elimination in [A | B]; `singular` are the pivots that are 0. */
export function solveBy(
  g: Emitter,
  [a, b]: readonly [Tensor, Tensor],
  isExact: boolean,
): { solution: Tensor; singular: Val } {
  const [rows] = shapeOf(a);
  const [, count] = shapeOf(b);
  const joined = g.typed(g.op("Concat", [a, b], { axis: -1 }), a.dims.with(-1, add(rows, count)));
  const done = eliminate(g, joined, { isFull: true });
  const right = part(g, done.matrix, { axis: -1, start: rows, end: add(rows, count) });
  const pivots = g.unsqueeze(diagonalOf(g, done.matrix, rows), [-1]);
  return {
    solution: g.typed(g.op("Div", [right, pivots]), right.dims),
    singular: zeroPivots(g, done, { rows, isExact }),
  };
}

/** The inverse of square matrices. */
export function inverseOf(g: Emitter, a: Tensor, isExact: boolean): { solution: Tensor; singular: Val } {
  const [rows] = shapeOf(a);
  return solveBy(g, [a, identity(g, rows, batchOf(a))], isExact);
}

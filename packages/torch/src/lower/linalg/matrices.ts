import { type Dim, mul, sub } from "../../graph/sym.ts";
import type { Need } from "../../onnx/input-fault.ts";
import { positions } from "../core/arange.ts";
import type { Emitter } from "../core/emitter.ts";
import { mayBeZero, unlessNothing } from "../core/nothing.ts";
import type { OpNode } from "../core/op-node.ts";
import { requirement } from "../core/requirement.ts";
import { isFloat, type Tensor, type Val } from "../core/tensor.ts";
import { unsupported } from "../core/unsupported.ts";

/** Matrices that are taken apart step by step: more rows would take as many turns of a loop, each over the whole matrix. */
const MOST_ROWS = 1024;

/**
 * Matrices in float64, [..., rows, columns]. PyTorch calculates float32 in float32; the wider type keeps this side's rounding out of
 * the comparison, and tells a singular matrix from one that only rounding made regular.
 */
export function matrices(g: Emitter, tensor: Tensor): Tensor {
  const [rows, columns] = shapeOf(tensor);
  for (const size of [rows, columns]) {
    if (typeof size === "number" && size > MOST_ROWS)
      unsupported(`a matrix with ${size} rows or columns; those up to ${MOST_ROWS} are translated`);
  }
  if (!isFloat(tensor.dtype)) unsupported("a matrix of integers");
  return g.typed(g.cast(tensor, "float64"), tensor.dims);
}

/** The last two sizes. */
export function shapeOf({ dims }: Pick<Tensor, "dims">): [Dim, Dim] {
  if (dims.length < 2) unsupported("its operand is not a matrix");
  return [dims.at(-2)!, dims.at(-1)!];
}

/** The sizes before the last two. */
export function batchOf({ dims }: Pick<Tensor, "dims">): readonly Dim[] {
  return dims.slice(0, -2);
}

/** The results of `emit`, in the declared dtypes; zeros where one of `sizes` is 0, as many as there are. Results that nothing uses are left out. */
export function onMatrices(
  node: OpNode,
  g: Emitter,
  { sizes, emit }: { readonly sizes: readonly Dim[]; emit(at: Emitter): readonly (Val | undefined)[] },
): (Val | undefined)[] {
  const wanted = Array.from({ length: node.outputCount }, (_, i) => i).filter((i) => node.isUsed(i));
  const empty = wanted.map((i) => ({ dtype: node.out(i).dtype, dims: node.out(i).dims }));
  const results = unlessNothing(g, {
    sizes,
    empty,
    emit: (at) => {
      const all = emit(at);
      return wanted.map((i, k) => at.cast(all[i] ?? unsupported(`its result ${i}`), empty[k]!.dtype));
    },
  });
  return Array.from({ length: node.outputCount }, (_, i) => {
    const at = wanted.indexOf(i);
    return at < 0 ? undefined : results[at];
  });
}

/** The value; the run fails, in words about `need`, where one of the `faults` is true. */
export function requiring(g: Emitter, val: Val, { need, faults }: { need: Need; faults: Val }): Val {
  return g.op("Add", [val, g.cast(requirement(g, need, faults), val.dtype)]);
}

/** Swaps rows and columns. */
export function transposed(g: Emitter, x: Tensor): Tensor {
  const rank = x.dims.length;
  const axes = Array.from({ length: rank }, (_, axis) => axis);
  const perm = [...axes.slice(0, -2), rank - 1, rank - 2];
  return g.typed(
    g.transpose(x, perm),
    perm.map((axis) => x.dims[axis]!),
  );
}

/** One row or column, or several, by their numbers: `axis` -2 for rows, -1 for columns. A scalar number takes the dimension away. */
export function taken(g: Emitter, x: Val, { axis, at }: { axis: -1 | -2; at: Val }): Val {
  return g.op("Gather", [x, at], { axis });
}

/** Rows or columns before `end`, or from `start` on. */
export function part(
  g: Emitter,
  x: Tensor,
  { axis, start = 0, end }: { axis: -1 | -2; start?: Dim; end: Dim },
): Tensor {
  const val = g.op("Slice", [x, g.shape([start]), g.shape([end]), g.ints([axis])]);
  return g.typed(val, x.dims.with(axis, sub(end, start)));
}

/** The identity of `size` rows, as many as there are in `batch`. */
export function identity(g: Emitter, size: Dim, batch: readonly Dim[]): Tensor {
  const numbers = positions(g, size);
  const isOn = g.op("Equal", [g.unsqueeze(numbers, [1]), g.unsqueeze(numbers, [0])]);
  const dims = [...batch, size, size];
  const eye = g.cast(isOn, "float64");
  return g.typed(batch.length === 0 ? eye : g.expand(eye, dims), dims);
}

/** The elements on the diagonal of [..., rows, columns], as many as there are rows; columns that follow are left out. */
export function diagonalOf(g: Emitter, x: Val, rows: Dim): Val {
  const numbers = positions(g, rows);
  const square = g.op("Slice", [x, g.ints([0]), g.shape([rows]), g.ints([-1])]);
  const isOn = g.op("Equal", [g.unsqueeze(numbers, [1]), g.unsqueeze(numbers, [0])]);
  return g.op("ReduceSum", [g.where(isOn, square, g.scalar(x.dtype, 0)), g.ints([-1])], { keepdims: 0 });
}

/** A column of numbers times a row of numbers. */
export function outerProduct(g: Emitter, column: Val, row: Val): Val {
  return g.op("Mul", [g.unsqueeze(column, [-1]), g.unsqueeze(row, [-2])]);
}

/** `x` where a matrix has rows at all, and what is true of one without any elsewhere: a determinant of 1. */
export function unlessRowless(g: Emitter, x: Val, { rows, value }: { rows: Dim; value: number }): Val {
  if (!mayBeZero(g, rows)) return x;
  const isRowless = g.op("Equal", [g.number(rows, "int64"), g.scalar("int64", 0)]);
  return g.where(isRowless, g.scalar(x.dtype, value), x);
}

/** Matrices with as many of them as `batch` says. */
export function broadcastTo(g: Emitter, x: Tensor, batch: readonly Dim[]): Tensor {
  if (batch.length === 0) return x;
  const dims = [...batch, ...shapeOf(x)];
  const own = batchOf(x);
  const isSame = own.length === batch.length && own.every((dim, i) => dim === batch[i]);
  return isSame ? x : g.typed(g.expand(x, dims), dims);
}

/** The matrices with NaN for all of one that has a fault, [..., rows]: what PyTorch leaves there depends on its rounding. */
export function unlessFaulty(g: Emitter, x: Val, faults: Val): Val {
  const isFaulty = g.op("ReduceMax", [g.cast(faults, "int32"), g.ints([-1])], { keepdims: 1 });
  const odd = g.where(isFaulty, g.scalar("float64", Number.NaN), g.scalar("float64", 0));
  return g.op("Add", [x, g.unsqueeze(odd, [-1])]);
}

/** LAPACK's info: the number of the first fault along the last axis, from 1; 0 where there is none. */
export function firstFault(g: Emitter, faults: Val): Val {
  const isFault = g.cast(faults, "int32");
  const first = g.cast(g.op("ArgMax", [isFault], { axis: -1, keepdims: 0 }), "int32");
  const hasFault = g.op("ReduceMax", [isFault, g.ints([-1])], { keepdims: 0 });
  return g.op("Mul", [hasFault, g.op("Add", [first, g.scalar("int32", 1)])]);
}

/** A square factor of matrices without rows or without columns, [..., size, size]: the identity. */
export function orIdentity(
  g: Emitter,
  given: Tensor,
  { val, size }: { val: Val | undefined; size: Dim },
): Val | undefined {
  const [rows, columns] = shapeOf(given);
  const area = mul(rows, columns);
  if (val === undefined || !mayBeZero(g, area)) return val;
  const isNothing = g.op("Equal", [g.number(area, "int64"), g.scalar("int64", 0)]);
  return g.where(isNothing, g.cast(identity(g, size, batchOf(given)), val.dtype), val);
}

/** Refuses what PyTorch itself takes of no half type, on any device. */
export function rejectHalf({ declared }: Tensor): void {
  if (declared === "float16" || declared === "bfloat16")
    unsupported(`PyTorch takes float32 and float64 here, and it is ${declared}`);
}

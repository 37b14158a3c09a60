import { add, type Dim, mul, product } from "../../graph/sym.ts";
import { arange } from "../core/arange.ts";
import { invert, lastTwo } from "../core/axes.ts";
import type { Emitter } from "../core/emitter.ts";
import type { Lowering, LoweringTable } from "../core/lowering.ts";
import { mayBeZero } from "../core/nothing.ts";
import type { OpNode } from "../core/op-node.ts";
import { normalizeAxis, type Tensor, type Val } from "../core/tensor.ts";

/**
 * aten::tril(Tensor self, SymInt diagonal=0) -> Tensor
 * aten::triu(Tensor self, SymInt diagonal=0) -> Tensor
 */
function triangle(upper: 0 | 1): Lowering {
  return (node, g) =>
    g.op("Trilu", [node.tensor("self"), g.number(node.size("diagonal"), "int64")], { upper });
}

interface Plane {
  readonly offset: number;
  readonly dim1: number;
  readonly dim2: number;
}

function planeOf(node: OpNode, rank: number): Plane {
  return {
    offset: node.int("offset"),
    dim1: normalizeAxis(node.int("dim1"), rank),
    dim2: normalizeAxis(node.int("dim2"), rank),
  };
}

/**
 * aten::diagonal(Tensor(a) self, int offset=0, int dim1=0, int dim2=1) -> Tensor(a)
 * aten::diagonal_copy(Tensor self, int offset=0, int dim1=0, int dim2=1) -> Tensor
 * aten::linalg_diagonal(Tensor(a) A, *, int offset=0, int dim1=-2, int dim2=-1) -> Tensor(a)
 */
export const diagonal: Lowering = (node, g) => {
  const self = node.tensor(node.has("self") ? "self" : "A");
  return takeDiagonal(g, self, { ...planeOf(node, self.dims.length), length: node.out().dims.at(-1)! });
};

/** One Gather on the flattened plane: the diagonal's elements are `columns + 1` apart. */
function takeDiagonal(
  g: Emitter,
  self: Tensor,
  { offset, dim1, dim2, length }: Plane & { readonly length: Dim },
): Val {
  const rank = self.dims.length;
  const others = self.dims.filter((_, axis) => axis !== dim1 && axis !== dim2);
  const [rows, columns] = [self.dims[dim1]!, self.dims[dim2]!];
  const planes = g.reshape(g.transpose(self, lastTwo(rank, dim1, dim2)), [...others, mul(rows, columns)]);
  const start = add(mul(Math.max(-offset, 0), columns), Math.max(offset, 0));
  return g.op("Gather", [planes, arange(g, length, { start, step: add(columns, 1) })], {
    axis: rank - 2,
  });
}

/** aten::diag_embed(Tensor self, int offset=0, int dim1=-2, int dim2=-1) -> Tensor */
export const diagEmbed: Lowering = (node, g) => {
  const rank = node.out().dims.length;
  return embed(g, node.tensor("self"), planeOf(node, rank));
};

/** Puts the last dimension of `self` on a diagonal of a plane of zeros. */
function embed(g: Emitter, self: Tensor, { offset, dim1, dim2 }: Plane): Val {
  const rank = self.dims.length + 1;
  const size = add(self.dims.at(-1)!, Math.abs(offset));
  const zero = g.scalar(self.dtype, 0);
  const planes = onDiagonal(g, self, { offset, rows: size, columns: size, base: zero });
  return g.transpose(planes, invert(lastTwo(rank, dim1, dim2)));
}

interface Onto {
  readonly offset: number;
  readonly rows: Dim;
  readonly columns: Dim;
  /** What is beside the diagonal: [..., rows, columns] or a scalar. */
  readonly base: Val;
}

/** `base` with the last dimension of `src` on one diagonal of its last two. */
function onDiagonal(g: Emitter, src: Tensor, { offset, rows, columns, base }: Onto): Val {
  const length = src.dims.at(-1)!;
  const values = withOne(g, src);
  const row = arange(g, rows);
  const isOn = g.op("Equal", [
    g.op("Add", [g.unsqueeze(row, [1]), g.scalar("int64", offset)]),
    g.unsqueeze(arange(g, columns), [0]),
  ]);
  const shifted = g.op("Add", [row, g.scalar("int64", Math.min(offset, 0))]);
  const last = g.op("Sub", [g.number(length, "int64"), g.scalar("int64", 1)]);
  const at = g.op("Max", [g.op("Min", [shifted, last]), g.scalar("int64", 0)]);
  const perRow = g.unsqueeze(g.op("Gather", [values, at], { axis: src.dims.length - 1 }), [-1]);
  return g.where(isOn, perRow, base);
}

/** The values along the last dimension, and one more where there may be none: so that there is something to look up. */
function withOne(g: Emitter, src: Tensor): Val {
  const length = src.dims.at(-1)!;
  if (!mayBeZero(g, length)) return src;
  const one = g.expand(g.scalar(src.dtype, 0), src.dims.with(-1, 1));
  return g.op("Concat", [src, one], { axis: src.dims.length - 1 });
}

/** aten::diagonal_scatter(Tensor self, Tensor src, int offset=0, int dim1=0, int dim2=1) -> Tensor */
export const diagonalScatter: Lowering = (node, g) => {
  const self = node.tensor("self");
  const src = node.tensor("src");
  if (product(src.dims) === 0) return self;
  const rank = self.dims.length;
  const { offset, dim1, dim2 } = planeOf(node, rank);
  const perm = lastTwo(rank, dim1, dim2);
  const planes = onDiagonal(
    g,
    { ...src, ...g.cast(src, self.dtype) },
    { offset, rows: self.dims[dim1]!, columns: self.dims[dim2]!, base: g.transpose(self, perm) },
  );
  return g.transpose(planes, invert(perm));
};

/** aten::diag(Tensor self, int diagonal=0) -> Tensor: of a matrix its diagonal, of a vector a matrix with it */
export const diag: Lowering = (node, g) => {
  const self = node.tensor("self");
  const plane = { offset: node.int("diagonal"), dim1: 0, dim2: 1 };
  if (self.dims.length === 1) return embed(g, self, plane);
  return takeDiagonal(g, self, { ...plane, length: node.out().dims[0]! });
};

/** aten::diagflat(Tensor self, int offset=0) -> Tensor */
export const diagflat: Lowering = (node, g) => {
  const self = node.tensor("self");
  const size = product(self.dims);
  const flat = g.typed(g.reshape(self, [size]), [size]);
  return embed(g, flat, { offset: node.int("offset"), dim1: 0, dim2: 1 });
};

/** aten::trace(Tensor self) -> Tensor */
export const trace: Lowering = (node, g) => {
  const self = node.tensor("self");
  const [rows, columns] = self.dims;
  const { dtype } = node.out();
  const row = arange(g, rows!);
  const isOn = g.op("Equal", [g.unsqueeze(row, [1]), g.unsqueeze(arange(g, columns!), [0])]);
  const kept = g.where(isOn, g.cast(self, dtype), g.scalar(dtype, 0));
  return g.op("ReduceSum", [kept, g.ints([0, 1])], { keepdims: 0 });
};

/**
 * aten::tril_indices(int row, int col, int offset=0, *, ...) -> Tensor
 * aten::triu_indices(int row, int col, int offset=0, *, ScalarType? dtype=4, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor
 */
function triangleIndices(isUpper: boolean): Lowering {
  return (node, g) => {
    const { dtype } = node.out();
    const [row, column, offset] = [node.int("row"), node.int("col"), node.int("offset")];
    const pairs: [number, number][] = [];
    for (let i = 0; i < row; i++) {
      for (let j = 0; j < column; j++) if (isUpper ? j - i >= offset : j - i <= offset) pairs.push([i, j]);
    }
    return g.constant(dtype, [...pairs.map(([i]) => i), ...pairs.map(([, j]) => j)], [2, pairs.length]);
  };
}

export const DIAGONALS: LoweringTable = {
  "aten.diagonal.default": diagonal,
  "aten.diagonal_copy.default": diagonal,
  "aten.linalg_diagonal.default": diagonal,
  "aten.diag_embed.default": diagEmbed,
  "aten.diagonal_scatter.default": diagonalScatter,
  "aten.diag.default": diag,
  "aten.diagflat.default": diagflat,
  "aten.trace.default": trace,
  "aten.tril_indices.default": triangleIndices(false),
  "aten.triu_indices.default": triangleIndices(true),
  "aten.tril.default": triangle(0),
  "aten.triu.default": triangle(1),
};

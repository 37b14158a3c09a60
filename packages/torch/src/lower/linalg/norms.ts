import { lastTwo } from "../core/axes.ts";
import type { Emitter } from "../core/emitter.ts";
import type { Reduced } from "../core/fold.ts";
import { all, type Lowering, type LoweringTable } from "../core/lowering.ts";
import { unlessNothing } from "../core/nothing.ts";
import type { OpNode } from "../core/op-node.ts";
import { normalizeAxis, type Tensor, type Val } from "../core/tensor.ts";
import { unsupported } from "../core/unsupported.ts";
import { reduceExtreme } from "../reduction/extremes.ts";
import { axesOf, keepsDims, reduce } from "../reduction/reduce.ts";
import { batchOf, matrices, rejectHalf } from "./matrices.ts";
import { singularValuesOf } from "./singular-values.ts";

interface How {
  readonly axes: readonly number[];
  readonly keepdims: number;
}

/** The p-norm of `x` over some axes. */
function norm(g: Emitter, x: Val, p: number, how: How): Val {
  const { dtype } = x;
  const size = g.op("Abs", [x]);
  if (p === 0) return reduce(g, "ReduceSum", g.cast(g.cast(size, "bool"), dtype), how);
  if (p === 1) return reduce(g, "ReduceSum", size, how);
  if (p === 2) return g.op("Sqrt", [reduce(g, "ReduceSum", g.op("Mul", [size, size]), how)]);
  if (p === Number.POSITIVE_INFINITY) return reduceExtreme(g, "ReduceMax", size, how);
  if (p === Number.NEGATIVE_INFINITY) return reduceExtreme(g, "ReduceMin", size, how);
  const power = reduce(g, "ReduceSum", g.op("Pow", [size, g.scalar(dtype, p)]), how);
  return g.op("Pow", [power, g.scalar(dtype, 1 / p)]);
}

/** aten::dist(Tensor self, Tensor other, Scalar p=2) -> Tensor: the norm of the difference */
export const dist: Lowering = (node, g) => {
  const { dtype } = node.out();
  const [a, b] = [node.tensor("self"), node.tensor("other")];
  const rank = Math.max(a.dims.length, b.dims.length);
  const difference = g.op("Sub", [g.cast(a, dtype), g.cast(b, dtype)]);
  return norm(g, difference, node.float("p"), {
    axes: Array.from({ length: rank }, (_, axis) => axis),
    keepdims: 0,
  });
};

/**
 * aten::linalg_norm(Tensor self, Scalar? ord=None, int[1]? dim=None, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor
 * aten::linalg_norm.ord_str(Tensor self, str ord, int[1]? dim=None, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor
 */
export const linalgNorm: Lowering = (node, g) => {
  const self = node.tensor("self");
  const rank = self.dims.length;
  const hasOrder = node.has("ord");
  const dims = node.has("dim") ? node.ints("dim").map((dim) => normalizeAxis(dim, rank)) : undefined;
  const axes = rank === 0 ? [] : (dims ?? self.dims.map((_, axis) => axis));
  const how = { axes, keepdims: keepsDims(node) };
  const x = { ...self, ...g.cast(self, node.out().dtype) };
  if (!hasOrder) return norm(g, x, 2, how);
  if (node.arg("ord").kind === "string") return matrixNorm(g, x, orderOf(node), how);
  if (axes.length < 2) return norm(g, x, node.float("ord"), how);
  return matrixNorm(g, x, orderOf(node), how);
};

/**
 * aten::linalg_matrix_norm(Tensor self, Scalar ord, int[] dim=[-2, -1], bool keepdim=False, *, ScalarType? dtype=None) -> Tensor
 * aten::linalg_matrix_norm.str_ord(Tensor self, str ord="fro", int[] dim=[-2, -1], bool keepdim=False, *, ScalarType? dtype=None) -> Tensor
 */
export const linalgMatrixNorm: Lowering = (node, g) => {
  const self = node.tensor("self");
  const axes = node.ints("dim").map((dim) => normalizeAxis(dim, self.dims.length));
  return matrixNorm(g, { ...self, ...g.cast(self, node.out().dtype) }, orderOf(node), {
    axes,
    keepdims: keepsDims(node),
  });
};

function orderOf(node: OpNode): number | string {
  return node.arg("ord").kind === "string" ? node.string("ord") : node.float("ord");
}

/** The largest or smallest singular value, or their sum ("nuc"), of the matrices along two axes. */
function spectralNorm(g: Emitter, x: Tensor, order: number | string, { axes, keepdims }: How): Val {
  rejectHalf(x);
  const perm = lastTwo(x.dims.length, axes[0]!, axes[1]!);
  const moved = g.typed(
    g.transpose(x, perm),
    perm.map((axis) => x.dims[axis]!),
  );
  const [result] = unlessNothing(g, {
    sizes: moved.dims,
    empty: [{ dtype: x.dtype, dims: batchOf(moved) }],
    emit: (at) => {
      const { s } = singularValuesOf(at, matrices(at, moved));
      const type = order === "nuc" ? "ReduceSum" : order === 2 ? "ReduceMax" : "ReduceMin";
      return [at.cast(at.op(type, [s, at.ints([-1])], { keepdims: 0 }), x.dtype)];
    },
  });
  const ascending = [...axes].sort((a, b) => a - b);
  return keepdims === 1 ? g.unsqueeze(result!, ascending) : result!;
}

/** Norms of matrices. */
function matrixNorm(g: Emitter, x: Tensor, order: number | string, { axes, keepdims }: How): Val {
  if (order === "fro") return norm(g, x, 2, { axes, keepdims });
  if (axes.some((axis) => x.dims[axis] === 0)) return normOfNothing(g, x, order, { axes, keepdims });
  if (order === "nuc" || order === 2 || order === -2) return spectralNorm(g, x, order, { axes, keepdims });
  if (typeof order === "string") return unsupported(`the matrix norm ${order}`);
  const isColumns = Math.abs(order) === 1;
  const [first, second] = (isColumns ? axes : axes.toReversed()) as [number, number];
  const sums = reduce(g, "ReduceSum", g.op("Abs", [x]), { axes: [first], keepdims: 1 });
  const extreme = reduceExtreme(g, order > 0 ? "ReduceMax" : "ReduceMin", sums, {
    axes: [second],
    keepdims: 1,
  });
  return keepdims === 1 ? extreme : g.squeeze(extreme, axes);
}

/** Of matrices without elements the norms that look for the largest are 0; of others PyTorch knows none where there is no least. */
function normOfNothing(g: Emitter, x: Tensor, order: number | string, { axes, keepdims }: How): Val {
  const [rows, columns] = axes.map((axis) => x.dims[axis]!);
  const counted = order === -1 ? columns : order === Number.NEGATIVE_INFINITY ? rows : 0;
  if (typeof order === "number" && order < 0 && counted === 0)
    return unsupported("the least of a matrix without elements");
  const dims = x.dims.flatMap((dim, axis) => (axes.includes(axis) ? (keepdims === 1 ? [1] : []) : [dim]));
  return g.expand(g.scalar(x.dtype, 0), dims);
}

/** aten::renorm(Tensor self, Scalar p, int dim, Scalar maxnorm) -> Tensor: slices along `dim` no longer than `maxnorm` */
export const renorm: Lowering = (node, g) => {
  const self = node.tensor("self");
  const { dtype } = self;
  const kept = normalizeAxis(node.int("dim"), self.dims.length);
  const axes = self.dims.map((_, axis) => axis).filter((axis) => axis !== kept);
  const length = norm(g, self, node.float("p"), { axes, keepdims: 1 });
  const limit = g.as(node.scalar("maxnorm"), dtype);
  const factor = g.op("Div", [limit, g.op("Add", [length, g.scalar(dtype, 1e-7)])]);
  return g.op("Mul", [self, g.where(g.op("Greater", [length, limit]), factor, g.scalar(dtype, 1))]);
};

/** aten::frobenius_norm.dim(Tensor self, int[1] dim, bool keepdim=False) -> Tensor */
export const frobeniusNorm: Lowering = (node, g) => {
  const self = node.tensor("self");
  const dims = node.ints("dim").map((dim) => normalizeAxis(dim, self.dims.length));
  const axes = dims.length === 0 ? self.dims.map((_, axis) => axis) : dims;
  return norm(g, self, 2, { axes, keepdims: keepsDims(node) });
};

/**
 * aten::linalg_vector_norm(Tensor self, Scalar ord=2, int[1]? dim=None, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor
 * aten::norm.Scalar(Tensor self, Scalar p=2) -> Tensor
 * aten::norm.ScalarOpt_dim(Tensor self, Scalar? p, int[1] dim, bool keepdim=False) -> Tensor
 * aten::norm.ScalarOpt_dim_dtype(Tensor self, Scalar? p, int[1] dim, bool keepdim, *, ScalarType dtype) -> Tensor
 * aten::norm.ScalarOpt_dtype(Tensor self, Scalar? p, *, ScalarType dtype) -> Tensor
 */
export const vectorNorm: Lowering = (node, g) => {
  const self = node.tensor("self");
  const { dtype } = node.out();
  const ord = node.has("ord") ? node.float("ord") : node.has("p") ? node.float("p") : 2;
  const x = g.op("Abs", [g.cast(self, dtype)]);
  const how = { axes: axesOf(node, self), keepdims: keepsDims(node) };
  return magnitude(g, x, { ord, ...how });
};

/** The norm of order `ord` of values that are not negative. */
export function magnitude(g: Emitter, x: Val, { ord, ...how }: Reduced & { readonly ord: number }): Val {
  const { dtype } = x;
  if (ord === 1) return reduce(g, "ReduceSum", x, how);
  if (ord === 2) return g.op("Sqrt", [reduce(g, "ReduceSum", g.op("Mul", [x, x]), how)]);
  if (ord === Number.POSITIVE_INFINITY) return reduceExtreme(g, "ReduceMax", x, how);
  if (ord === Number.NEGATIVE_INFINITY) return reduceExtreme(g, "ReduceMin", x, how);
  if (ord === 0) return reduce(g, "ReduceSum", g.cast(g.cast(x, "bool"), dtype), how);
  const power = reduce(g, "ReduceSum", g.op("Pow", [x, g.scalar(dtype, ord)]), how);
  return g.op("Pow", [power, g.scalar(dtype, 1 / ord)]);
}

export const NORMS: LoweringTable = {
  "aten.dist.default": dist,
  ...all("linalg_norm", linalgNorm, ["default", "ord_str"]),
  ...all("linalg_matrix_norm", linalgMatrixNorm, ["default", "str_ord"]),
  "aten.renorm.default": renorm,
  "aten.frobenius_norm.dim": frobeniusNorm,
  "aten.linalg_vector_norm.default": vectorNorm,
  ...all("norm", vectorNorm, ["Scalar", "ScalarOpt_dim", "ScalarOpt_dim_dtype", "ScalarOpt_dtype"]),
};

import { greatest, least } from "../../graph/bounds.ts";
import { type Dim, sameDim } from "../../graph/sym.ts";
import type { Emitter } from "../core/emitter.ts";
import { all, type Lowering, type LoweringTable } from "../core/lowering.ts";
import type { OpNode } from "../core/op-node.ts";
import type { Tensor, Val } from "../core/tensor.ts";
import { unsupported } from "../core/unsupported.ts";
import { eigenOf } from "./eigenvalues.ts";
import { rotateApart, scaledColumns, symmetric } from "./jacobi.ts";
import {
  batchOf,
  broadcastTo,
  diagonalOf,
  identity,
  matrices,
  onMatrices,
  orIdentity,
  part,
  rejectHalf,
  shapeOf,
  transposed,
} from "./matrices.ts";
import { qrOf } from "./orthogonal.ts";

/** A = U S Vᵀ: U [..., rows, k], S [..., k] in descending order, V [..., columns, k], where k is the smaller size. */
export interface SingularValues {
  readonly u: Tensor;
  readonly s: Val;
  readonly v: Tensor;
}

/** By rotating the columns until they are orthogonal (one-sided Jacobi), which is exact for small values too. */
export function singularValuesOf(g: Emitter, given: Tensor): SingularValues {
  const [rows, columns] = shapeOf(given);
  if (typeof rows === "number" && typeof columns === "number" && rows < columns) {
    const { u, s, v } = singularValuesOf(g, transposed(g, given));
    return { u: v, s, v: u };
  }
  const { values, rotations } = rotateApart(g, given, {
    gram: (at, x) => at.op("MatMul", [transposed(at, x), x]),
    turned: (at, x, { right }) => at.op("MatMul", [x, right]),
  });
  const lengths = g.op("ReduceL2", [values, g.ints([-2])], { keepdims: 0 });
  const count = least(rows, columns);
  const [s, order] = g.ops("TopK", [lengths, g.shape([count])], {
    count: 2,
    attributes: { axis: -1, largest: 1, sorted: 1 },
  });
  const ordered = (x: Tensor): Tensor => {
    const dims = x.dims.with(-1, count);
    const places = g.expand(g.unsqueeze(order!, [-2]), dims);
    return g.typed(g.op("GatherElements", [x, places], { axis: -1 }), dims);
  };
  const u = orthonormal(g, { columns: ordered(values), lengths: s!, count });
  return { u, s: s!, v: ordered(rotations) };
}

interface Lengths {
  readonly columns: Tensor;
  readonly lengths: Val;
  readonly count: Dim;
}

/** Columns of length 1: those without a length of their own are chosen at right angles to the others. */
function orthonormal(g: Emitter, { columns, lengths, count }: Lengths): Tensor {
  const longest = g.op("ReduceMax", [lengths, g.ints([-1])], { keepdims: 1 });
  const rounding = g.op("Mul", [
    g.number(columns.dims.at(-2)!, "float64"),
    g.scalar("float64", Number.EPSILON),
  ]);
  const isShort = g.op("LessOrEqual", [lengths, g.op("Mul", [longest, rounding])]);
  const factors = g.where(
    isShort,
    g.scalar("float64", 0),
    g.op("Div", [g.scalar("float64", 1), g.where(isShort, g.scalar("float64", 1), lengths)]),
  );
  const unit = g.typed(scaledColumns(g, columns, factors), columns.dims);
  return completed(g, unit, count);
}

/** The first `count` columns of an orthogonal matrix that begins with these, which are orthonormal or 0. */
function completed(g: Emitter, columns: Tensor, count: Dim): Tensor {
  const own = columns.dims.at(-1)!;
  const { q, r } = qrOf(g, columns);
  // R is diagonal, and holds the signs that the reflections chose; 0 where the column was 0.
  const diagonal = diagonalOf(g, part(g, r, { axis: -2, end: own }), own);
  const sign = g.where(
    g.op("Less", [diagonal, g.scalar("float64", 0)]),
    g.scalar("float64", -1),
    g.scalar("float64", 1),
  );
  const first = scaledColumns(g, part(g, q, { axis: -1, end: own }), sign);
  if (sameDim(count, own)) return g.typed(first, columns.dims);
  const rest = part(g, q, { axis: -1, start: own, end: count });
  return g.typed(g.op("Concat", [first, rest], { axis: -1 }), columns.dims.with(-1, count));
}

/**
 * aten::linalg_svd(Tensor A, bool full_matrices=True, *, str? driver=None) -> (Tensor U, Tensor S, Tensor Vh)
 * aten::_linalg_svd(Tensor A, bool full_matrices=False, bool compute_uv=True, *, str? driver=None) -> (Tensor U, Tensor S, Tensor Vh)
 * aten::svd(Tensor self, bool some=True, bool compute_uv=True) -> (Tensor U, Tensor S, Tensor V)
 */
export const svd: Lowering = (node, g) => {
  const isOld = node.has("self");
  const given = node.tensor(isOld ? "self" : "A");
  const isFull = isOld ? !node.bool("some") : node.bool("full_matrices");
  if (node.has("compute_uv") && !node.bool("compute_uv") && (node.isUsed(0) || node.isUsed(2)))
    unsupported("its vectors are used, and not calculated");
  const [rows, columns] = shapeOf(given);
  if (rows === 0 || columns === 0) return svdOfNothing(g, given, { isFull, isOld });
  const [u, s, v] = onMatrices(node, g, {
    sizes: given.dims,
    emit: (at) => {
      const parts = singularValuesOf(at, matrices(at, given));
      const [left, right] = isFull
        ? [completed(at, parts.u, rows), completed(at, parts.v, columns)]
        : [parts.u, parts.v];
      return [left, parts.s, isOld ? right : transposed(at, right)];
    },
  });
  if (!isFull) return [u, s, v];
  return [orIdentity(g, given, { val: u, size: rows }), s, orIdentity(g, given, { val: v, size: columns })];
};

/** Of matrices without elements there are no singular values; vectors that are to fill the space are the identity's. */
function svdOfNothing(
  g: Emitter,
  given: Tensor,
  { isFull, isOld }: { readonly isFull: boolean; readonly isOld: boolean },
): Val[] {
  const [rows, columns] = shapeOf(given);
  const batch = batchOf(given);
  const vectors = (size: Dim): Val =>
    isFull ? identity(g, size, batch) : g.expand(g.scalar("float64", 0), [...batch, size, 0]);
  const right = vectors(columns);
  const turned = isFull || isOld ? right : g.expand(g.scalar("float64", 0), [...batch, 0, columns]);
  return [vectors(rows), g.expand(g.scalar("float64", 0), [...batch, 0]), turned];
}

/** aten::linalg_svdvals(Tensor A, *, str? driver=None) -> Tensor */
export const svdvals: Lowering = (node, g) => {
  const given = node.tensor("A");
  return onMatrices(node, g, {
    sizes: given.dims,
    emit: (at) => [singularValuesOf(at, matrices(at, given)).s],
  });
};

/** aten::linalg_cond(Tensor self, Scalar? p=None) -> Tensor: the largest singular value over the smallest */
export const cond: Lowering = (node, g) => {
  const given = node.tensor("self");
  const order = node.has("p") ? node.float("p") : 2;
  if (Math.abs(order) !== 2) unsupported(`the condition number for the norm ${order}`);
  return onMatrices(node, g, {
    sizes: given.dims,
    emit: (at) => {
      const { s } = singularValuesOf(at, matrices(at, given));
      const [largest, smallest] = ["ReduceMax", "ReduceMin"].map((type) =>
        at.op(type, [s, at.ints([-1])], { keepdims: 0 }),
      );
      return [at.op("Div", order > 0 ? [largest, smallest] : [smallest, largest])];
    },
  });
};

/** How large a singular value has to be to count. */
interface Cut {
  readonly absolute: Val | undefined;
  readonly relative: Val;
}

/** The cut that a node asks for; by default what rounding leaves of a matrix of this size. */
function cutOf(node: OpNode, g: Emitter, given: Tensor): Cut {
  const value = (name: string): Val | undefined => {
    if (!node.has(name)) return undefined;
    return g.as(node.operand(name), "float64");
  };
  const [rows, columns] = shapeOf(given);
  const rounding = g.scalar("float64", given.declared === "float64" ? Number.EPSILON : 2 ** -23);
  const usual = g.op("Mul", [g.number(greatest(rows, columns), "float64"), rounding]);
  if (node.has("rcond")) return { absolute: undefined, relative: value("rcond")! };
  if (node.has("tol")) return { absolute: value("tol"), relative: g.scalar("float64", 0) };
  const [absolute, relative] = [value("atol"), value("rtol")];
  if (relative !== undefined) return { absolute, relative };
  if (absolute === undefined) return { absolute, relative: usual };
  const isGiven = g.op("Greater", [absolute, g.scalar("float64", 0)]);
  return { absolute, relative: g.where(isGiven, g.scalar("float64", 0), usual) };
}

/** Which of the values count, [..., k]. */
function countedBy(g: Emitter, sizes: Val, { absolute, relative }: Cut): Val {
  const largest = g.op("ReduceMax", [sizes, g.ints([-1])], { keepdims: 1 });
  const perMatrix = (val: Val): Val => g.unsqueeze(val, [-1]);
  const least = g.op("Mul", [perMatrix(relative), largest]);
  const bound = absolute === undefined ? least : g.op("Max", [perMatrix(absolute), least]);
  return g.op("Greater", [sizes, bound]);
}

/** V · 1/S · Uᵀ over the values that count. */
function pseudoInverse(
  g: Emitter,
  given: Tensor,
  { cut, isHermitian }: { cut: Cut; isHermitian: boolean },
): Tensor {
  const parts = isHermitian ? hermitianParts(g, given) : singularValuesOf(g, given);
  const { u, s, v } = parts;
  const isCounted = countedBy(g, g.op("Abs", [s]), cut);
  const one = g.scalar("float64", 1);
  const factors = g.where(isCounted, g.op("Div", [one, g.where(isCounted, s, one)]), g.scalar("float64", 0));
  const scaled = scaledColumns(g, v, factors);
  const [rows, columns] = shapeOf(given);
  return g.typed(g.op("MatMul", [scaled, transposed(g, u)]), [...batchOf(given), columns, rows]);
}

function hermitianParts(g: Emitter, given: Tensor): SingularValues {
  const { values, vectors } = eigenOf(g, symmetric(g, given, 0));
  return { u: vectors, s: values, v: vectors };
}

/**
 * aten::linalg_pinv(Tensor self, float rcond, bool hermitian=False) -> Tensor
 * aten::linalg_pinv.atol_rtol_float(Tensor self, *, float? atol=None, float? rtol=None, bool hermitian=False) -> Tensor
 * aten::linalg_pinv.atol_rtol_tensor(Tensor self, *, Tensor? atol=None, Tensor? rtol=None, bool hermitian=False) -> Tensor
 * aten::linalg_pinv.rcond_tensor(Tensor self, Tensor rcond, bool hermitian=False) -> Tensor
 * aten::pinverse(Tensor self, float rcond=1.0000000000000001e-15) -> Tensor
 */
export const pinv: Lowering = (node, g) => {
  const given = node.tensor("self");
  return onMatrices(node, g, {
    sizes: given.dims,
    emit: (at) => {
      const isHermitian = node.has("hermitian") && node.bool("hermitian");
      return [pseudoInverse(at, matrices(at, given), { cut: cutOf(node, at, given), isHermitian })];
    },
  });
};

/**
 * aten::linalg_matrix_rank(Tensor self, float tol, bool hermitian=False) -> Tensor
 * aten::linalg_matrix_rank.atol_rtol_float(Tensor self, *, float? atol=None, float? rtol=None, bool hermitian=False) -> Tensor
 * aten::linalg_matrix_rank.atol_rtol_tensor(Tensor input, *, Tensor? atol=None, Tensor? rtol=None, bool hermitian=False) -> Tensor
 * aten::linalg_matrix_rank.tol_tensor(Tensor input, Tensor tol, bool hermitian=False) -> Tensor
 */
export const matrixRank: Lowering = (node, g) => {
  const given = node.tensor(node.has("self") ? "self" : "input");
  rejectHalf(given);
  return onMatrices(node, g, {
    sizes: given.dims,
    emit: (at) => {
      const wide = matrices(at, given);
      const s = node.bool("hermitian")
        ? at.op("Abs", [hermitianParts(at, wide).s])
        : singularValuesOf(at, wide).s;
      const isCounted = countedBy(at, s, cutOf(node, at, given));
      return [at.op("ReduceSum", [at.cast(isCounted, "int64"), at.ints([-1])], { keepdims: 0 })];
    },
  });
};

/**
 * aten::linalg_lstsq(Tensor self, Tensor b, float? rcond=None, *, str? driver=None) -> (Tensor solution, Tensor residuals, Tensor rank, Tensor singular_values)
 *
 * The solution of least length.
 */
export const lstsq: Lowering = (node, g) => {
  const [a, b] = [node.tensor("self"), node.tensor("b")];
  if (b.dims.length !== a.dims.length) unsupported("its right side is a vector");
  return onMatrices(node, g, {
    sizes: [...a.dims, ...b.dims],
    emit: (at) => {
      const batch: readonly Dim[] = batchOf(node.out());
      const inverse = pseudoInverse(at, matrices(at, a), { cut: cutOf(node, at, a), isHermitian: false });
      const [left, right] = [inverse, matrices(at, b)].map((x) => broadcastTo(at, x, batch));
      return [at.op("MatMul", [left!, right!])];
    },
  });
};

export const SINGULAR_VALUES: LoweringTable = {
  "aten.linalg_svd.default": svd,
  "aten._linalg_svd.default": svd,
  "aten.svd.default": svd,
  "aten.linalg_svdvals.default": svdvals,
  "aten.linalg_cond.default": cond,
  ...all("linalg_pinv", pinv, ["default", "atol_rtol_float", "atol_rtol_tensor", "rcond_tensor"]),
  "aten.pinverse.default": pinv,
  ...all("linalg_matrix_rank", matrixRank, ["default", "atol_rtol_float", "atol_rtol_tensor", "tol_tensor"]),
  "aten.linalg_lstsq.default": lstsq,
};

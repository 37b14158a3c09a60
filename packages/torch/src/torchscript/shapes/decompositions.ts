import { least } from "../../graph/bounds.ts";
import type { TensorType } from "../../graph/ir.ts";
import { type Dim, product } from "../../graph/sym.ts";
import { unsupportedOp } from "../unsupported-op.ts";
import { axisOf, broadcast } from "./dims.ts";
import { floatOf, type ShapeArgs, type ShapeFn, type ShapeTable, tensorType } from "./shape-args.ts";

/** The matrices that an op calls one of these names. */
function matrixOf(args: ShapeArgs, ...names: readonly string[]): TensorType {
  const name = names.find((wish) => args.isGiven(wish)) ?? unsupportedOp("its operand is missing");
  const matrix = args.tensor(name);
  return matrix.dims.length < 2 ? unsupportedOp("its operand is not a matrix") : matrix;
}

function shapeOf({ dims }: TensorType): { batch: readonly Dim[]; rows: Dim; columns: Dim } {
  return { batch: dims.slice(0, -2), rows: dims.at(-2)!, columns: dims.at(-1)! };
}

/** LAPACK's word on each matrix. */
function infoOf({ dims }: TensorType): TensorType {
  return tensorType("int32", dims.slice(0, -2));
}

/** One number for each matrix. */
const perMatrix: ShapeFn = (args) => {
  const { dtype, dims } = matrixOf(args, "A", "self");
  return tensorType(floatOf(dtype), dims.slice(0, -2));
};

/** The sign and the logarithm of the absolute value of each matrix's determinant. */
const signAndLog: ShapeFn = (args) => {
  const type = perMatrix(args) as TensorType;
  return [type, type];
};

const same: ShapeFn = (args) => matrixOf(args, "A", "self");

const withInfo: ShapeFn = (args) => {
  const matrix = matrixOf(args, "A", "self");
  return [matrix, infoOf(matrix)];
};

/** A right side of one vector for each matrix of the other operand. */
function isVector(a: TensorType, b: TensorType): boolean {
  if (b.dims.length === 1) return true;
  const shared = a.dims.slice(0, -1);
  return b.dims.length === shared.length && b.dims.every((dim, i) => dim === shared[i]);
}

function solutionOf(a: TensorType, b: TensorType): TensorType {
  if (isVector(a, b)) return tensorType(b.dtype, a.dims.slice(0, -1));
  const batch = broadcast(a.dims.slice(0, -2), b.dims.slice(0, -2));
  return tensorType(b.dtype, [...batch, ...b.dims.slice(-2)]);
}

const solved: ShapeFn = (args) => solutionOf(matrixOf(args, "A"), args.tensor("B"));

const solvedWithInfo: ShapeFn = (args) => {
  const matrix = matrixOf(args, "A");
  return [solutionOf(matrix, args.tensor("B")), infoOf(matrix)];
};

/** Both operands with the batch of both. */
const broadcastPair =
  (matrix: string, right: string): ShapeFn =>
  (args) => {
    const [a, b] = [args.tensor(matrix), args.tensor(right)];
    const batch = broadcast(a.dims.slice(0, -2), b.dims.slice(0, -2));
    const whole = (x: TensorType): TensorType => tensorType(x.dtype, [...batch, ...x.dims.slice(-2)]);
    return [whole(b), whole(a)];
  };

const solvedPair =
  (matrix: string, right: string): ShapeFn =>
  (args) =>
    (broadcastPair(matrix, right)(args) as readonly TensorType[])[0]!;

/** A = QR: reduced, complete, or R alone. */
const orthogonal: ShapeFn = (args) => {
  const matrix = matrixOf(args, "A", "self");
  const { batch, rows, columns } = shapeOf(matrix);
  const mode = args.isGiven("mode") ? args.text("mode") : args.bool("some") ? "reduced" : "complete";
  const inner = mode === "complete" ? rows : least(rows, columns);
  const first = mode === "r" ? [0] : [...batch, rows, inner];
  return [tensorType(matrix.dtype, first), tensorType(matrix.dtype, [...batch, inner, columns])];
};

const eigenvalues: ShapeFn = (args) => {
  const { dtype, dims } = matrixOf(args, "self");
  return tensorType(dtype, dims.slice(0, -1));
};

const eigen: ShapeFn = (args) => [eigenvalues(args) as TensorType, matrixOf(args, "self")];

const singularValues: ShapeFn = (args) => {
  const matrix = matrixOf(args, "A", "self");
  const { batch, rows, columns } = shapeOf(matrix);
  return tensorType(matrix.dtype, [...batch, least(rows, columns)]);
};

const singular: ShapeFn = (args) => {
  const matrix = matrixOf(args, "A", "self");
  const { batch, rows, columns } = shapeOf(matrix);
  const isOld = args.isGiven("some");
  const isFull = isOld ? !args.bool("some") : args.bool("full_matrices");
  const inner = least(rows, columns);
  const [left, right] = isFull ? [rows, columns] : [inner, inner];
  return [
    tensorType(matrix.dtype, [...batch, rows, left]),
    singularValues(args) as TensorType,
    tensorType(matrix.dtype, [...batch, ...(isOld ? [columns, right] : [right, columns])]),
  ];
};

const factored: ShapeFn = (args) => {
  const matrix = matrixOf(args, "A", "self");
  const { batch, rows, columns } = shapeOf(matrix);
  return [matrix, tensorType("int32", [...batch, least(rows, columns)])];
};

const factoredWithInfo: ShapeFn = (args) => [
  ...(factored(args) as readonly TensorType[]),
  infoOf(matrixOf(args, "A", "self")),
];

/** P, L and U. */
const threeFactors: ShapeFn = (args) => {
  const matrix = matrixOf(args, "A", "LU_data");
  const { batch, rows, columns } = shapeOf(matrix);
  const inner = least(rows, columns);
  const sizes = [
    [rows, rows],
    [rows, inner],
    [inner, columns],
  ];
  return sizes.map((size) => tensorType(matrix.dtype, [...batch, ...size]));
};

const pseudoInverse: ShapeFn = (args) => {
  const matrix = matrixOf(args, "self");
  const { batch, rows, columns } = shapeOf(matrix);
  return tensorType(matrix.dtype, [...batch, columns, rows]);
};

const rank: ShapeFn = (args) => tensorType("int64", matrixOf(args, "input", "self").dims.slice(0, -2));

const leastSquares: ShapeFn = (args) => {
  const [a, b] = [matrixOf(args, "self"), matrixOf(args, "b")];
  const batch = broadcast(a.dims.slice(0, -2), b.dims.slice(0, -2));
  const solution = tensorType(b.dtype, [...batch, a.dims.at(-1)!, b.dims.at(-1)!]);
  const none = tensorType(b.dtype, [0]);
  return [solution, none, tensorType("int64", batch), none];
};

const tensorInverse: ShapeFn = (args) => {
  const { dtype, dims } = args.tensor("self");
  const ind = args.int("ind");
  return tensorType(dtype, [...dims.slice(ind), ...dims.slice(0, ind)]);
};

const tensorSolution: ShapeFn = (args) => {
  const [a, b] = [args.tensor("self"), args.tensor("other")];
  const last = args.has("dims") ? args.ints("dims").map((dim) => axisOf(dim, a.dims.length)) : [];
  const order = [...a.dims.keys()].filter((axis) => !last.includes(axis)).concat(last);
  let rest = product(b.dims);
  const taken: Dim[] = [];
  for (const axis of order.toReversed()) {
    if (rest === 1 && taken.length > 0) break;
    const dim = a.dims[axis]!;
    if (typeof dim !== "number" || typeof rest !== "number") return unsupportedOp("its sizes are not known");
    taken.unshift(dim);
    rest /= dim;
  }
  return tensorType(a.dtype, taken);
};

/** Linear systems, and matrices taken apart. */
export const DECOMPOSITIONS: ShapeTable = {
  linalg_det: perMatrix,
  det: perMatrix,
  logdet: perMatrix,
  linalg_cond: perMatrix,
  linalg_slogdet: signAndLog,
  slogdet: signAndLog,
  inverse: same,
  linalg_inv: same,
  linalg_inv_ex: withInfo,
  linalg_solve: solved,
  linalg_solve_ex: solvedWithInfo,
  cholesky: same,
  linalg_cholesky: same,
  linalg_cholesky_ex: withInfo,
  cholesky_inverse: same,
  cholesky_solve: solvedPair("input2", "self"),
  linalg_solve_triangular: solvedPair("self", "B"),
  triangular_solve: broadcastPair("A", "self"),
  linalg_lu: threeFactors,
  lu_unpack: threeFactors,
  linalg_lu_factor: factored,
  linalg_lu_factor_ex: factoredWithInfo,
  _lu_with_info: factoredWithInfo,
  linalg_lu_solve: solvedPair("LU", "B"),
  lu_solve: solvedPair("LU_data", "self"),
  linalg_qr: orthogonal,
  qr: orthogonal,
  linalg_householder_product: (args) => args.tensor("input"),
  geqrf: (args) => {
    const { dtype, dims } = args.tensor("self");
    const [rows, columns] = [dims.at(-2)!, dims.at(-1)!];
    return [tensorType(dtype, dims), tensorType(dtype, [...dims.slice(0, -2), least(rows, columns)])];
  },
  ormqr: (args) => args.tensor("input3"),
  orgqr: (args) => args.tensor("self"),
  linalg_eigh: eigen,
  linalg_eigvalsh: eigenvalues,
  linalg_svd: singular,
  svd: singular,
  linalg_svdvals: singularValues,
  linalg_pinv: pseudoInverse,
  pinverse: pseudoInverse,
  linalg_matrix_rank: rank,
  linalg_lstsq: leastSquares,
  linalg_matrix_exp: same,
  matrix_exp: same,
  linalg_tensorinv: tensorInverse,
  linalg_tensorsolve: tensorSolution,
};

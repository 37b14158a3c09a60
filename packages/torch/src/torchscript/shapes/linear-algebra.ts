import type { TensorType } from "../../graph/ir.ts";
import { add, type Dim, mul, product, sub, sym } from "../../graph/sym.ts";
import { unsupportedOp } from "../unsupported-op.ts";
import { axisOf, broadcast, numeric, requireSame } from "./dims.ts";
import { promotedList } from "./joining.ts";
import { multiplied } from "./products.ts";
import { floatOf, type ShapeFn, type ShapeTable, sumOf, tensorType } from "./shape-args.ts";

const addedVector: ShapeFn = (args) => {
  const product = multiplied(args.tensor("mat").dims, args.tensor("vec").dims);
  return tensorType(args.promoted("self", "mat", "vec"), broadcast(product, args.tensor("self").dims));
};

const outerAdded: ShapeFn = (args) => {
  const dims = [args.tensor("vec1").dims[0]!, args.tensor("vec2").dims[0]!];
  return tensorType(args.promoted("self", "vec1", "vec2"), broadcast(dims, args.tensor("self").dims));
};

const summedProducts: ShapeFn = (args) => {
  const dims = multiplied(args.tensor("batch1").dims, args.tensor("batch2").dims).slice(-2);
  return tensorType(args.promoted("self", "batch1", "batch2"), broadcast(dims, args.tensor("self").dims));
};

const scalarProduct: ShapeFn = (args) => tensorType(args.promoted("self", "other"), []);

/** Of the last dimensions; with a number on either side the product of both. */
const inner: ShapeFn = (args) => {
  const [a, b] = [args.tensor("self").dims, args.tensor("other").dims];
  const dtype = args.promoted("self", "other");
  if (a.length === 0 || b.length === 0) return tensorType(dtype, [...a, ...b]);
  requireSame(a.at(-1)!, b.at(-1)!);
  return tensorType(dtype, [...a.slice(0, -1), ...b.slice(0, -1)]);
};

const tensordot: ShapeFn = (args) => {
  const [a, b] = [args.tensor("self").dims, args.tensor("other").dims];
  const own = args.ints("dims_self").map((axis) => axisOf(axis, a.length));
  const others = args.ints("dims_other").map((axis) => axisOf(axis, b.length));
  for (const [i, axis] of own.entries()) {
    const [x, y] = [a[axis]!, b[others[i]!]!];
    if (x !== 1 && y !== 1) requireSame(x, y);
  }
  const rest = (dims: readonly Dim[], axes: readonly number[]): Dim[] =>
    dims.filter((_, axis) => !axes.includes(axis));
  return tensorType(args.promoted("self", "other"), [...rest(a, own), ...rest(b, others)]);
};

const kron: ShapeFn = (args) => {
  const [a, b] = [args.tensor("self").dims, args.tensor("other").dims];
  const rank = Math.max(a.length, b.length);
  const at = (dims: readonly Dim[], axis: number): Dim => dims[axis - rank + dims.length] ?? 1;
  const dims = Array.from({ length: rank }, (_, axis) => mul(at(a, axis), at(b, axis)));
  return tensorType(args.promoted("self", "other"), dims);
};

/** Vectors of three along `dim`, by default along the first dimension that has three. */
const crossed: ShapeFn = (args) => {
  const dims = broadcast(args.tensor("self").dims, args.tensor("other").dims);
  if (args.has("dim")) requireSame(dims[axisOf(args.int("dim"), dims.length)]!, 3);
  else for (const dim of dims) numeric(dim);
  return tensorType(args.promoted("self", "other"), dims);
};

const distance: ShapeFn = (args) => tensorType(floatOf(args.promoted("self", "other")), []);

const distances: ShapeFn = (args) => {
  const [a, b] = [args.tensor("x1"), args.tensor("x2")];
  if (a.dims.length < 2 || b.dims.length < 2) return unsupportedOp("its operands are not lists of points");
  const batch = broadcast(a.dims.slice(0, -2), b.dims.slice(0, -2));
  return tensorType(floatOf(args.promoted("x1", "x2")), [...batch, a.dims.at(-2)!, b.dims.at(-2)!]);
};

const ownDistances: ShapeFn = (args) => {
  const { dtype, dims } = args.tensor("self");
  const count = dims[0] ?? unsupportedOp("its operand is not a list of points");
  return tensorType(floatOf(dtype), [sym("floordiv", mul(count, sub(count, 1)), 2)]);
};

/** The dtypes are one; vectors may stand at either end. */
const chained =
  (name: string): ShapeFn =>
  (args) => {
    const tensors = args.tensors(name);
    const dims = tensors.slice(1).reduce<readonly Dim[]>((left, right) => {
      return multiplied(left, right.dims);
    }, tensors[0]?.dims ?? unsupportedOp("it multiplies no tensors"));
    return tensorType(promotedList(tensors), dims);
  };

const vander: ShapeFn = (args) => {
  const { dtype, dims } = args.tensor("x");
  const columns = args.has("N") ? args.size("N") : (dims.at(-1) ?? 1);
  return tensorType(sumOf(dtype), [...(dims.length === 0 ? [1] : dims), columns]);
};

const vecdot: ShapeFn = (args) => {
  const dims = broadcast(args.tensor("x").dims, args.tensor("y").dims);
  const at = axisOf(args.int("dim"), dims.length);
  return tensorType(
    args.promoted("x", "y"),
    dims.filter((_, axis) => axis !== at),
  );
};

const matrixNorm: ShapeFn = (args) => {
  const { dtype, dims } = args.tensor("self");
  const axes = args.ints("dim").map((axis) => axisOf(axis, dims.length));
  const rest = dims.flatMap((dim, axis) => (axes.includes(axis) ? (args.bool("keepdim") ? [1] : []) : [dim]));
  return tensorType(args.dtype() ?? floatOf(dtype), rest);
};

/** Products of groups of rows, of columns, or of the depth, which makes one matrix of each group. */
const grouped: ShapeFn = (args) => {
  const [a, b] = [args.tensor("self").dims, args.tensor("mat2").dims];
  const dtype = args.dtype("out_dtype") ?? args.tensor("self").dtype;
  const [rows, columns] = [a.at(-2)!, b.at(-1)!];
  if (a.length === 3 && b.length === 3) return tensorType(dtype, [a[0]!, rows, columns]);
  if (a.length === 3 || b.length === 3) return tensorType(dtype, [rows, columns]);
  return tensorType(dtype, [args.tensor("offs").dims[0]!, rows, columns]);
};

const groupedRows: ShapeFn = (args) => {
  const [x, weight] = [args.tensor("input"), args.tensor("weight")];
  return tensorType(x.dtype, [x.dims[0]!, weight.dims.at(-1)!]);
};

const bilinear: ShapeFn = (args) => {
  const { dtype, dims } = args.tensor("input1");
  const weight = args.tensor("weight").dims;
  requireSame(dims.at(-1)!, weight[1]!);
  requireSame(args.tensor("input2").dims.at(-1)!, weight[2]!);
  return tensorType(dtype, [...dims.slice(0, -1), args.tensor("weight").dims[0]!]);
};

const trace: ShapeFn = (args) => tensorType(sumOf(args.tensor("self").dtype), []);

const diagonalOf = (rows: Dim, columns: Dim, offset: number): Dim => {
  const [below, right] = [add(rows, Math.min(offset, 0)), add(columns, -Math.max(offset, 0))];
  return sym("max", 0, sym("min", below, right));
};

/** Of a matrix its diagonal, of a vector the matrix with that diagonal. */
const diag: ShapeFn = (args) => {
  const { dtype, dims } = args.tensor("self");
  const offset = args.int("diagonal");
  if (dims.length === 2) return tensorType(dtype, [diagonalOf(dims[0]!, dims[1]!, offset)]);
  const size = add(dims[0] ?? unsupportedOp("a tensor without dimensions"), Math.abs(offset));
  return tensorType(dtype, [size, size]);
};

const diagflat: ShapeFn = (args) => {
  const { dtype, dims } = args.tensor("self");
  const size = add(product(dims), Math.abs(args.int("offset")));
  return tensorType(dtype, [size, size]);
};

const diagEmbed: ShapeFn = (args) => {
  const { dtype, dims } = args.tensor("self");
  const rank = dims.length + 1;
  const axes = [axisOf(args.int("dim1"), rank), axisOf(args.int("dim2"), rank)];
  const size = add(dims.at(-1)!, Math.abs(args.int("offset")));
  const rest = dims.slice(0, -1);
  const shape = Array.from({ length: rank }, (_, axis) => (axes.includes(axis) ? size : rest.shift()!));
  return tensorType(dtype, shape);
};

const diagonal =
  (name: string): ShapeFn =>
  (args) => {
    const { dtype, dims } = args.tensor(name);
    const [first, second] = [axisOf(args.int("dim1"), dims.length), axisOf(args.int("dim2"), dims.length)];
    const length = diagonalOf(dims[first]!, dims[second]!, args.int("offset"));
    return tensorType(dtype, [...dims.filter((_, axis) => axis !== first && axis !== second), length]);
  };

/** The rows and columns of a triangle's elements. */
const triangle =
  (isUpper: boolean): ShapeFn =>
  (args) => {
    const [rows, columns, offset] = [
      numeric(args.size("row")),
      numeric(args.size("col")),
      args.int("offset"),
    ];
    if (rows > 100_000) return unsupportedOp("it has too many rows");
    let below = 0;
    const lower = isUpper ? offset - 1 : offset;
    for (let row = 0; row < rows; row += 1) below += Math.min(Math.max(row + lower + 1, 0), columns);
    return tensorType(args.dtype() ?? "int64", [2, isUpper ? rows * columns - below : below]);
  };

export const LINEAR_ALGEBRA: ShapeTable = {
  addmv: addedVector,
  addr: outerAdded,
  addbmm: summedProducts,
  vdot: scalarProduct,
  inner,
  tensordot,
  kron,
  cross: crossed,
  linalg_cross: crossed,
  dist: distance,
  cdist: distances,
  _cdist_forward: distances,
  pdist: ownDistances,
  _pdist_forward: ownDistances,
  matrix_power: (args) => args.tensor("self"),
  linalg_multi_dot: chained("tensors"),
  chain_matmul: chained("matrices"),
  linalg_vander: vander,
  linalg_vecdot: vecdot,
  linalg_matrix_norm: matrixNorm,
  linalg_matrix_power: (args) => args.tensor("self"),
  _grouped_mm: grouped,
  grouped_mm_fallback: groupedRows,
  bilinear,
  trace,
  diag,
  diagflat,
  diag_embed: diagEmbed,
  diagonal: diagonal("self"),
  diagonal_copy: diagonal("self"),
  linalg_diagonal: diagonal("A"),
  diagonal_scatter: (args) => {
    const { dims } = diagonal("self")(args) as TensorType;
    for (const [axis, dim] of args.tensor("src").dims.entries()) requireSame(dims[axis] ?? 1, dim);
    return args.tensor("self");
  },
  tril_indices: triangle(false),
  triu_indices: triangle(true),
};

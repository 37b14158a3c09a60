import type { TensorType } from "../../graph/ir.ts";
import { add, type Dim, mul, product, sym } from "../../graph/sym.ts";
import { unsupportedOp } from "../unsupported-op.ts";
import { axisOf, ceilDivide, numeric, quotient, requireSame, sliceLength } from "./dims.ts";
import { replaced } from "./on-dims.ts";
import { promotedOf, type ShapeArgs, type ShapeFn, type ShapeTable, tensorType } from "./shape-args.ts";

/** The common dtype of a list of tensors. */
export function promotedList(tensors: readonly TensorType[]): TensorType["dtype"] {
  return promotedOf(tensors.map(({ dtype, dims }) => ({ name: "", dtype, dims, declared: dtype })));
}

/** Joins tensors along a dimension. Legacy: a tensor of shape [0] counts as none. */
function joined(tensors: readonly TensorType[], dim: number): TensorType {
  const parts = tensors.filter(({ dims }) => dims.length !== 1 || dims[0] !== 0);
  const first = parts[0] ?? tensors[0] ?? unsupportedOp("it joins no tensors");
  const at = axisOf(dim, first.dims.length);
  const sizeOf = ({ dims }: TensorType, axis: number): Dim =>
    dims[axis] ?? unsupportedOp("ranks do not match");
  const dims = first.dims.map((size, axis) => {
    if (axis === at) return parts.map((part) => sizeOf(part, axis)).reduce<Dim>(add, 0);
    for (const part of parts) requireSame(size, sizeOf(part, axis));
    return size;
  });
  return tensorType(promotedList(tensors), dims);
}

const cat: ShapeFn = (args) => joined(args.tensors("tensors"), args.int("dim"));

const stack: ShapeFn = (args) => {
  const tensors = args.tensors("tensors");
  const first = tensors[0] ?? unsupportedOp("it stacks no tensors");
  for (const { dims } of tensors) {
    if (dims.length !== first.dims.length) unsupportedOp("ranks do not match");
    for (const [axis, dim] of dims.entries()) requireSame(dim, first.dims[axis]!);
  }
  const axis = axisOf(args.int("dim"), first.dims.length + 1);
  const dims = [...first.dims.slice(0, axis), tensors.length, ...first.dims.slice(axis)];
  return tensorType(promotedList(tensors), dims);
};

/** The shape with at least `rank` dimensions, as `atleast_1d` … `atleast_3d` have it. */
export function atLeast(dims: readonly Dim[], rank: number): Dim[] {
  if (dims.length >= rank) return [...dims];
  if (rank === 1) return [1];
  if (rank === 2) return [1, dims[0] ?? 1];
  return dims.length === 2 ? [dims[0]!, dims[1]!, 1] : [1, dims[0] ?? 1, 1];
}

const widened = (tensors: readonly TensorType[], rank: number): TensorType[] =>
  tensors.map(({ dtype, dims }) => tensorType(dtype, atLeast(dims, rank)));

const lifted =
  (rank: number): ShapeFn =>
  (args) =>
    widened([args.tensor("self")], rank)[0]!;

const liftedList =
  (rank: number): ShapeFn =>
  (args) =>
    widened(args.tensors("tensors"), rank);

const vstack: ShapeFn = (args) => joined(widened(args.tensors("tensors"), 2), 0);
const dstack: ShapeFn = (args) => joined(widened(args.tensors("tensors"), 3), 2);
const hstack: ShapeFn = (args) => {
  const tensors = widened(args.tensors("tensors"), 1);
  return joined(tensors, tensors[0]?.dims.length === 1 ? 0 : 1);
};
/** Vectors are columns. */
const columnStack: ShapeFn = (args) =>
  joined(
    args
      .tensors("tensors")
      .map(({ dtype, dims }) => tensorType(dtype, dims.length > 1 ? dims : [dims[0] ?? 1, 1])),
    1,
  );

const blockDiag: ShapeFn = (args) => {
  const tensors = widened(args.tensors("tensors"), 2);
  const sum = (axis: number): Dim => tensors.map(({ dims }) => dims[axis]!).reduce<Dim>(add, 0);
  return tensorType(promotedList(tensors), tensors.length === 0 ? [1, 0] : [sum(0), sum(1)]);
};

const cartesianProduct: ShapeFn = (args) => {
  const tensors = args.tensors("tensors");
  const rows = product(tensors.map(({ dims }) => dims[0] ?? 1));
  return tensorType(promotedList(tensors), tensors.length === 1 ? tensors[0]!.dims : [rows, tensors.length]);
};

const combinations: ShapeFn = (args) => {
  const { dtype, dims } = args.tensor("self");
  const [size, length] = [numeric(dims[0] ?? 0), args.int("r")];
  const from = args.bool("with_replacement") ? size + length - 1 : size;
  let count = length > from ? 0 : 1;
  for (let i = 0; i < length && count > 0; i += 1) count = (count * (from - i)) / (i + 1);
  return tensorType(dtype, length === 0 ? [0] : [count, length]);
};

/** Each tensor cut into chunks along a dimension, what is behind it flattened, padded to one size, and joined. */
const chunkCat: ShapeFn = (args) => {
  const tensors = args.tensors("tensors");
  const [dim, chunks] = [args.int("dim"), args.int("num_chunks")];
  const first = tensors[0] ?? unsupportedOp("it joins no tensors");
  const axis = axisOf(dim, first.dims.length);
  const widths = tensors.map(({ dims }) =>
    mul(ceilDivide(dims[axis]!, chunks), product(dims.slice(axis + 1))),
  );
  return tensorType(promotedList(tensors), [
    ...first.dims.slice(0, axis),
    chunks,
    widths.reduce<Dim>(add, 0),
  ]);
};

/** Pieces between positions of an axis. */
function cutAt({ dtype, dims }: TensorType, axis: number, positions: readonly Dim[]): TensorType[] {
  const ends = [...positions, Number.MAX_SAFE_INTEGER];
  return ends.map((end, i) => {
    const start = i === 0 ? 0 : ends[i - 1]!;
    return tensorType(dtype, replaced(dims, axis, sliceLength(dims[axis]!, { start, end, step: 1 })));
  });
}

/** Pieces of nearly one size, the larger ones first. */
function sections({ dtype, dims }: TensorType, axis: number, count: number): TensorType[] {
  if (count < 1 || count > 4096) return unsupportedOp(`it splits into ${count} pieces`);
  const size = dims[axis]!;
  // The piece at i is longer by one where the remainder is more than i.
  return Array.from({ length: count }, (_, i) =>
    tensorType(dtype, replaced(dims, axis, sym("floordiv", add(size, count - 1 - i), count))),
  );
}

const tensorSplit =
  (axisIn: (args: ShapeArgs, rank: number) => number): ShapeFn =>
  (args) => {
    const self = args.tensor("self");
    const axis = axisOf(axisIn(args, self.dims.length), self.dims.length);
    if (args.has("indices")) return cutAt(self, axis, args.sizes("indices"));
    const count = args.int("sections");
    // Only tensor_split takes what does not divide.
    if (!args.isTarget("tensor_split") && count > 0) quotient(self.dims[axis]!, count);
    return sections(self, axis, count);
  };

const byDim = tensorSplit((args) => args.int("dim"));

/** One part more than places, whose sizes are data. */
const atData: ShapeFn = (args) => {
  const { dtype, dims } = args.tensor("self");
  const axis = axisOf(args.int("dim"), dims.length);
  const [places] = args.tensor("tensor_indices_or_sections").dims;
  if (typeof places !== "number") return unsupportedOp("how many parts there are is not known");
  return Array.from({ length: places + 1 }, () => tensorType(dtype, replaced(dims, axis, args.dataSize())));
};

export const JOINING: ShapeTable = {
  cat,
  concat: cat,
  concatenate: cat,
  stack,
  "atleast_1d.default": lifted(1),
  "atleast_2d.default": lifted(2),
  "atleast_3d.default": lifted(3),
  "atleast_1d.Sequence": liftedList(1),
  "atleast_2d.Sequence": liftedList(2),
  "atleast_3d.Sequence": liftedList(3),
  vstack,
  row_stack: vstack,
  hstack,
  dstack,
  column_stack: columnStack,
  block_diag: blockDiag,
  cartesian_prod: cartesianProduct,
  combinations,
  _chunk_cat: chunkCat,
  "tensor_split.indices": byDim,
  "tensor_split.sections": byDim,
  "tensor_split.tensor_indices_or_sections": atData,
  hsplit: tensorSplit((_, rank) => (rank === 1 ? 0 : 1)),
  vsplit: tensorSplit(() => 0),
  dsplit: tensorSplit(() => 2),
};

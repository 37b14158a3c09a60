import { add, type Dim, mul, product, sub, sym } from "../../graph/sym.ts";
import type { Emitter } from "../core/emitter.ts";
import { all, type Lowering, type LoweringTable } from "../core/lowering.ts";
import type { OpNode } from "../core/op-node.ts";
import { normalizeAxis, type Tensor, type Val } from "../core/tensor.ts";
import { unsupported } from "../core/unsupported.ts";
import { slice, split } from "./slicing.ts";

/**
 * aten::meshgrid.indexing(Tensor[] tensors, *, str indexing) -> Tensor[]
 * aten::meshgrid(Tensor[] tensors) -> Tensor[]
 */
export const meshgrid: Lowering = (node, g) => {
  const tensors = node.tensors("tensors");
  const isXy = node.has("indexing") && node.string("indexing") === "xy";
  return tensors.map((tensor, i) => {
    if (!node.isUsed(i)) return undefined;
    const axis = isXy && i < 2 && tensors.length > 1 ? 1 - i : i;
    const { dims } = node.out(i);
    return g.expand(
      g.reshape(
        tensor,
        dims.map((_, at) => (at === axis ? (tensor.dims[0] ?? 1) : 1)),
      ),
      dims,
    );
  });
};

/**
 * aten::atleast_2d.Sequence(Tensor[] tensors) -> Tensor[]
 * aten::atleast_1d.Sequence(Tensor[] tensors) -> Tensor[]
 * aten::atleast_3d.Sequence(Tensor[] tensors) -> Tensor[]
 *
 * Ones around the sizes.
 */
export const atLeastEach: Lowering = (node, g) =>
  node
    .tensors("tensors")
    .map((tensor, i) => (node.isUsed(i) ? g.reshape(tensor, node.out(i).dims) : undefined));

/** At least so many dimensions, as atleast_1d, atleast_2d and atleast_3d make them. */
function atLeast(tensor: Tensor, rank: number): readonly Dim[] {
  const { dims } = tensor;
  if (dims.length >= rank) return dims;
  if (rank === 3 && dims.length === 2) return [...dims, 1];
  if (rank === 3) return [1, dims[0] ?? 1, 1];
  return [...Array.from({ length: rank - dims.length }, () => 1), ...dims];
}

/**
 * aten::hstack(Tensor[] tensors) -> Tensor
 * aten::dstack(Tensor[] tensors) -> Tensor
 * aten::row_stack(Tensor[] tensors) -> Tensor
 * aten::vstack(Tensor[] tensors) -> Tensor
 *
 * Each tensor is reshaped, then joined along an axis.
 */
function stacked(shape: (tensor: Tensor) => readonly Dim[], axisOf: (rank: number) => number): Lowering {
  return (node, g) => {
    const { dtype, dims } = node.out();
    const parts = node.tensors("tensors").map((tensor) => g.reshape(g.cast(tensor, dtype), shape(tensor)));
    return parts.length === 1 ? parts[0]! : g.op("Concat", parts, { axis: axisOf(dims.length) });
  };
}

/** aten::column_stack(Tensor[] tensors) -> Tensor */
function asColumn(tensor: Tensor): readonly Dim[] {
  return tensor.dims.length < 2 ? [tensor.dims[0] ?? 1, 1] : tensor.dims;
}

/** aten::tensor_split.sections(Tensor(a -> *) self, SymInt sections, int dim=0) -> Tensor(a)[]: the first ones are larger by one */
function splitEvenly(
  g: Emitter,
  self: Tensor,
  { axis, sections }: { axis: number; sections: number },
): Val[] {
  const size = self.dims[axis]!;
  const least = sym("floordiv", size, sections);
  const extra = sub(size, mul(least, sections));
  const sizes = Array.from({ length: sections }, (_, i) =>
    add(least, sym("min", 1, sym("max", 0, sub(extra, i)))),
  );
  return split(g, self, axis, sizes);
}

/** aten::tensor_split.indices(Tensor(a -> *) self, SymInt[] indices, int dim=0) -> Tensor(a)[]: bounds as in Python's slices */
function splitAt(
  g: Emitter,
  self: Tensor,
  { axis, indices }: { axis: number; indices: readonly Dim[] },
): Val[] {
  return [...indices, undefined].map((end, i) =>
    slice(g, self, { axis, start: i === 0 ? 0 : indices[i - 1]!, end: end ?? Number.MAX_SAFE_INTEGER }),
  );
}

/**
 * aten::dsplit.array(Tensor(a -> *) self, int[] indices) -> Tensor(a)[]
 * aten::dsplit.int(Tensor(a -> *) self, int sections) -> Tensor(a)[]
 * aten::hsplit.array(Tensor(a -> *) self, int[] indices) -> Tensor(a)[]
 * aten::hsplit.int(Tensor(a -> *) self, int sections) -> Tensor(a)[]
 * aten::vsplit.array(Tensor(a -> *) self, int[] indices) -> Tensor(a)[]
 * aten::vsplit.int(Tensor(a -> *) self, int sections) -> Tensor(a)[]
 *
 * A split op along the axis that `axisOf` tells, into `sections` or at `indices`.
 */
function splitting(axisOf: (node: OpNode, rank: number) => number): Lowering {
  return (node, g) => {
    const self = node.tensor("self");
    const axis = axisOf(node, self.dims.length);
    return node.has("indices")
      ? splitAt(g, self, { axis, indices: node.sizes("indices") })
      : splitEvenly(g, self, { axis, sections: node.int("sections") });
  };
}

/** aten::tensor_split.tensor_indices_or_sections(Tensor(a -> *) self, Tensor tensor_indices_or_sections, int dim=0) -> Tensor(a)[]: at places that are data */
const splitAtData: Lowering = (node, g) => {
  const self = node.tensor("self");
  const places = node.tensor("tensor_indices_or_sections");
  if (places.dims.length !== 1) return unsupported("how many parts there are is in a tensor");
  const axis = normalizeAxis(node.int("dim"), self.dims.length);
  const count = node.outputCount - 1;
  const bound = (i: number): Val => g.op("Gather", [g.cast(places, "int64"), g.ints([i])], { axis: 0 });
  const bounds = [
    g.ints([0]),
    ...Array.from({ length: count }, (_, i) => bound(i)),
    g.ints([Number.MAX_SAFE_INTEGER]),
  ];
  return bounds.slice(1).map((end, i) => g.op("Slice", [self, bounds[i]!, end, g.ints([axis])]));
};

const byDim = splitting((node, rank) => normalizeAxis(node.int("dim"), rank));

/** aten::cartesian_prod(Tensor[] tensors) -> Tensor */
export const cartesianProduct: Lowering = (node, g) => {
  const tensors = node.tensors("tensors");
  if (tensors.length === 1) return tensors[0]!;
  const { dtype } = node.out();
  const grid = tensors.map((tensor) => tensor.dims[0]!);
  const columns = tensors.map((tensor, i) => {
    const spread = g.reshape(
      g.cast(tensor, dtype),
      grid.map((dim, axis) => (axis === i ? dim : 1)),
    );
    return g.reshape(g.expand(spread, grid), [product(grid), 1]);
  });
  return g.op("Concat", columns, { axis: 1 });
};

/** aten::combinations(Tensor self, int r=2, bool with_replacement=False) -> Tensor. The size must be a constant. */
export const combinations: Lowering = (node, g) => {
  const self = node.tensor("self");
  const size = self.dims[0]!;
  const [r, repeats] = [node.int("r"), node.bool("with_replacement")];
  if (typeof size !== "number") return unsupported("the number of elements is not constant");
  let rows: number[][] = [[]];
  for (let i = 0; i < r; i++) {
    rows = rows.flatMap((row) => {
      const first = row.length === 0 ? 0 : row.at(-1)! + (repeats ? 0 : 1);
      return Array.from({ length: Math.max(0, size - first) }, (_, k) => [...row, first + k]);
    });
    if (rows.length > MAX_COMBINATIONS) return unsupported(`more than ${MAX_COMBINATIONS} combinations`);
  }
  return g.op("Gather", [self, g.constant("int64", rows.flat(), [rows.length, r])], { axis: 0 });
};

const MAX_COMBINATIONS = 1 << 18;

/** aten::block_diag(Tensor[] tensors) -> Tensor: rows of zeros around each matrix, below each other */
export const blockDiagonal: Lowering = (node, g) => {
  const { dtype, dims } = node.out();
  const zero = g.scalar(dtype, 0);
  let before: Dim = 0;
  const rows = node.tensors("tensors").map((tensor) => {
    const [height, width] = atLeast(tensor, 2) as [Dim, Dim];
    const matrix = g.reshape(g.cast(tensor, dtype), [height, width]);
    const after = sub(sub(dims[1]!, before), width);
    const padded = g.op(
      "Concat",
      [g.expand(zero, [height, before]), matrix, g.expand(zero, [height, after])],
      {
        axis: 1,
      },
    );
    before = add(before, width);
    return padded;
  });
  return rows.length === 1 ? rows[0]! : g.op("Concat", rows, { axis: 0 });
};

/** aten::_chunk_cat(Tensor[] tensors, int dim, int num_chunks) -> Tensor: chunks of each, flattened behind `dim`, side by side */
export const chunkCat: Lowering = (node, g) => {
  const { dtype } = node.out();
  const [dim, chunks] = [node.int("dim"), node.int("num_chunks")];
  const parts = node.tensors("tensors").map((tensor) => {
    const axis = normalizeAxis(dim, tensor.dims.length);
    const [size, rest] = [tensor.dims[axis]!, tensor.dims.slice(axis + 1)];
    const each = sym("floordiv", add(size, chunks - 1), chunks);
    const missing = sub(mul(each, chunks), size);
    const lead = tensor.dims.slice(0, axis);
    const zeros = g.expand(g.scalar(dtype, 0), [...lead, missing, ...rest]);
    const padded =
      missing === 0 ? g.cast(tensor, dtype) : g.op("Concat", [g.cast(tensor, dtype), zeros], { axis });
    return g.reshape(padded, [...lead, chunks, product([each, ...rest])]);
  });
  return parts.length === 1 ? parts[0]! : g.op("Concat", parts, { axis: node.out().dims.length - 1 });
};

const hstackAxis = (rank: number): number => (rank === 1 ? 0 : 1);

export const STACKING: LoweringTable = {
  ...all("tensor_split", byDim, ["sections", "indices"]),
  "aten.tensor_split.tensor_indices_or_sections": splitAtData,
  ...all(
    "hsplit",
    splitting((_, rank) => (rank === 1 ? 0 : 1)),
    ["int", "array"],
  ),
  ...all(
    "vsplit",
    splitting(() => 0),
    ["int", "array"],
  ),
  ...all(
    "dsplit",
    splitting(() => 2),
    ["int", "array"],
  ),
  ...all("atleast_1d", atLeastEach, ["Sequence"]),
  ...all("atleast_2d", atLeastEach, ["Sequence"]),
  ...all("atleast_3d", atLeastEach, ["Sequence"]),
  "aten.hstack.default": stacked((tensor) => atLeast(tensor, 1), hstackAxis),
  "aten.vstack.default": stacked(
    (tensor) => atLeast(tensor, 2),
    () => 0,
  ),
  "aten.row_stack.default": stacked(
    (tensor) => atLeast(tensor, 2),
    () => 0,
  ),
  "aten.dstack.default": stacked(
    (tensor) => atLeast(tensor, 3),
    () => 2,
  ),
  "aten.column_stack.default": stacked(asColumn, () => 1),
  "aten.cartesian_prod.default": cartesianProduct,
  "aten.combinations.default": combinations,
  "aten.block_diag.default": blockDiagonal,
  "aten._chunk_cat.default": chunkCat,
  "aten.meshgrid.default": meshgrid,
  "aten.meshgrid.indexing": meshgrid,
};

import { add, type Dim, mul, product, sub, sym } from "../graph/sym.ts";
import { lastTwo } from "./axes.ts";
import { add as addOp, div, divMode, identity, mul as mulOp, sub as subOp } from "./elementwise.ts";
import type { Emitter } from "./emitter.ts";
import { cat } from "./joining.ts";
import { all, type Lowering, type LoweringTable } from "./lowering.ts";
import type { OpNode } from "./op-node.ts";
import { refuse } from "./refusal.ts";
import { expand, permute, reshape, t, transpose } from "./reshaping.ts";
import {
  chunk,
  narrow,
  select,
  slice,
  sliceTensor,
  split,
  splitTensor,
  splitWithSizes,
  unbind,
} from "./slicing.ts";
import { normalizeAxis, type Tensor, type Val } from "./tensor.ts";

/** aten::mT(Tensor(a) self) -> Tensor(a): the last two dimensions swapped */
export const swapLastTwo: Lowering = (node, g) => {
  const self = node.tensor("self");
  const rank = self.dims.length;
  return rank < 2 ? self : g.transpose(self, lastTwo(rank, rank - 1, rank - 2));
};

/** aten::numpy_T(Tensor(a) self) -> Tensor(a): all dimensions reversed */
export const reverseDims: Lowering = (node, g) => {
  const self = node.tensor("self");
  return g.transpose(self, self.dims.map((_, axis) => axis).reverse());
};

/** aten::swapaxes(Tensor(a) self, int axis0, int axis1) -> Tensor(a) */
export const swapAxes: Lowering = (node, g) => {
  const self = node.tensor("self");
  const rank = self.dims.length;
  const [a, b] = [normalizeAxis(node.int("axis0"), rank), normalizeAxis(node.int("axis1"), rank)];
  return g.transpose(
    self,
    self.dims.map((_, axis) => (axis === a ? b : axis === b ? a : axis)),
  );
};

/** aten::broadcast_tensors(Tensor[] tensors) -> Tensor[] */
export const broadcastTensors: Lowering = (node, g) =>
  node
    .tensors("tensors")
    .map((tensor, i) => (node.isUsed(i) ? g.expand(tensor, node.out(i).dims) : undefined));

/** aten::atleast_2d.Sequence(Tensor[] tensors) -> Tensor[]: ones around the sizes */
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

/** aten::hstack(Tensor[] tensors) -> Tensor and its kin: each tensor reshaped, then joined along an axis. */
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

/** A split op along the axis that `axisOf` tells, into `sections` or at `indices`. */
function splitting(axisOf: (node: OpNode, rank: number) => number): Lowering {
  return (node, g) => {
    const self = node.tensor("self");
    const axis = axisOf(node, self.dims.length);
    return node.has("indices")
      ? splitAt(g, self, { axis, indices: node.sizes("indices") })
      : splitEvenly(g, self, { axis, sections: node.int("sections") });
  };
}

const byDim = splitting((node, rank) => normalizeAxis(node.int("dim"), rank));

/** aten::fliplr(Tensor self) -> Tensor, aten::flipud(Tensor self) -> Tensor */
function flipAxis(axis: number): Lowering {
  return (node, g) =>
    g.op("Slice", [
      node.tensor("self"),
      g.ints([-1]),
      g.ints([Number.MIN_SAFE_INTEGER]),
      g.ints([axis]),
      g.ints([-1]),
    ]);
}

/** aten::fft_fftshift(Tensor self, int[1]? dim=None) -> Tensor: each dimension rolled by half its size */
function halfRoll(isInverse: boolean): Lowering {
  return (node, g) => {
    const self = node.tensor("self");
    const axes = node.has("dim") ? node.ints("dim") : self.dims.map((_, axis) => axis);
    return axes.reduce<Val>((x, dim) => {
      const axis = normalizeAxis(dim, self.dims.length);
      const size = self.dims[axis]!;
      const half = sym("floordiv", add(size, isInverse ? 0 : 1), 2);
      const [end, start] = [Number.MAX_SAFE_INTEGER, 0];
      return g.op(
        "Concat",
        [slice(g, x, { axis, start: half, end }), slice(g, x, { axis, start, end: half })],
        {
          axis,
        },
      );
    }, self);
  };
}

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
  if (typeof size !== "number") return refuse("the number of elements is not constant");
  let rows: number[][] = [[]];
  for (let i = 0; i < r; i++) {
    rows = rows.flatMap((row) => {
      const first = row.length === 0 ? 0 : row.at(-1)! + (repeats ? 0 : 1);
      return Array.from({ length: Math.max(0, size - first) }, (_, k) => [...row, first + k]);
    });
    if (rows.length > MAX_COMBINATIONS) return refuse(`more than ${MAX_COMBINATIONS} combinations`);
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

/** aten::sum_to_size(Tensor self, SymInt[] size) -> Tensor: undoes a broadcast */
export const sumToSize: Lowering = (node, g) => {
  const self = node.tensor("self");
  const { dims, dtype } = node.out();
  const lead = self.dims.length - dims.length;
  const axes = self.dims.flatMap((dim, axis) =>
    axis < lead || (dims[axis - lead] === 1 && dim !== 1) ? [axis] : [],
  );
  if (axes.length === 0) return self;
  return g.reshape(g.op("ReduceSum", [g.cast(self, dtype), g.ints(axes)], { keepdims: 1 }), dims);
};

/** aten::isreal(Tensor self) -> Tensor, for tensors that are no complex ones */
export const isReal: Lowering = (node, g) => g.expand(g.scalar("bool", 1), node.out().dims);

/** aten::positive(Tensor(a) self) -> Tensor(a), and what conjugates: real tensors stay as they are */
export const real: Lowering = (node, g) => {
  node.out();
  return identity(node, g);
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

/** aten::flatten_dense_tensors and the like need no more than sizes: kept beside `reshape`. */
const RESHAPES = [
  "ravel",
  "atleast_1d",
  "atleast_2d",
  "atleast_3d",
  "unsqueeze_copy",
  "view_copy",
  "_reshape_alias",
];

const hstackAxis = (rank: number): number => (rank === 1 ? 0 : 1);

export const EQUIVALENTS: LoweringTable = {
  ...all("subtract", subOp, ["Tensor", "Scalar"]),
  ...all("multiply", mulOp, ["Tensor", "Scalar"]),
  ...all("divide", div, ["Tensor", "Scalar"]),
  ...all("divide", divMode, ["Tensor_mode", "Scalar_mode"]),
  "aten._add_relu.Tensor": (node, g) => g.op("Max", [addOp(node, g) as Val, g.scalar(node.out().dtype, 0)]),
  ...all("mT", swapLastTwo, ["default"]),
  ...all("mH", swapLastTwo, ["default"]),
  ...all("adjoint", swapLastTwo, ["default"]),
  ...all("matrix_H", swapLastTwo, ["default"]),
  ...all("numpy_T", reverseDims, ["default"]),
  ...all("swapaxes", swapAxes, ["default"]),
  ...all("swapdims", transpose, ["default"]),
  ...Object.fromEntries(RESHAPES.map((op) => [`aten.${op}.default`, reshape])),
  ...all("squeeze_copy", reshape, ["default", "dim", "dims"]),
  "aten.t_copy.default": t,
  "aten.transpose_copy.int": transpose,
  "aten.permute_copy.default": permute,
  "aten.expand_copy.default": expand,
  "aten.alias_copy.default": identity,
  "aten.narrow_copy.default": narrow,
  "aten.select_copy.int": select,
  "aten.slice_copy.Tensor": sliceTensor,
  "aten.split_copy.Tensor": splitTensor,
  "aten.split_with_sizes_copy.default": splitWithSizes,
  "aten.unbind_copy.int": unbind,
  "aten.unsafe_chunk.default": chunk,
  "aten.unsafe_split.Tensor": splitTensor,
  "aten.unsafe_split_with_sizes.default": splitWithSizes,
  ...all("tensor_split", byDim, ["sections", "indices"]),
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
  "aten.broadcast_tensors.default": broadcastTensors,
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
  "aten.concatenate.default": cat,
  "aten.fliplr.default": flipAxis(1),
  "aten.flipud.default": flipAxis(0),
  "aten.fft_fftshift.default": halfRoll(false),
  "aten.fft_ifftshift.default": halfRoll(true),
  "aten.cartesian_prod.default": cartesianProduct,
  "aten.combinations.default": combinations,
  "aten.block_diag.default": blockDiagonal,
  "aten.sum_to_size.default": sumToSize,
  "aten._chunk_cat.default": chunkCat,
  "aten.isreal.default": isReal,
  ...Object.fromEntries(
    [
      "positive",
      "real",
      "_conj",
      "conj",
      "conj_physical",
      "_conj_physical",
      "resolve_conj",
      "resolve_neg",
    ].map((op) => [`aten.${op}.default`, real]),
  ),
};

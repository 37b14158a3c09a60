import type { DType } from "../../dtype.ts";
import { boundsOf } from "../../graph/bounds.ts";
import { add, type Dim, keyOf, mul, product, sameDims, sub, sym } from "../../graph/sym.ts";
import { UnprovenSize, unsupportedOp } from "../unsupported-op.ts";
import {
  axisOf,
  broadcast,
  isOne,
  quotient,
  requireSame,
  reshaped,
  sliceLength,
  sumOfSizes,
} from "./dims.ts";
import { onDims, replaced, without } from "./on-dims.ts";
import { imageOfColumns, patchColumns, pixelShuffle, unfold } from "./patches.ts";
import { chunk, split, splitBySizes, unbind } from "./pieces.ts";
import { type ShapeFn, type ShapeTable, sumOf, tensorType } from "./shape-args.ts";

const flatten = onDims((dims, args) => {
  if (dims.length === 0) return [1];
  const [start, end] = [axisOf(args.int("start_dim"), dims.length), axisOf(args.int("end_dim"), dims.length)];
  return [...dims.slice(0, start), product(dims.slice(start, end + 1)), ...dims.slice(end + 1)];
});

const unflatten = onDims((dims, args) => {
  const axis = axisOf(args.int("dim"), dims.length);
  return [...dims.slice(0, axis), ...reshaped([dims[axis]!], args.sizes("sizes")), ...dims.slice(axis + 1)];
});

/** A size that the caller chooses may be 1 or not: the rank of the result is not known then. */
const squeeze = onDims((dims, args) => {
  const given = args.has("dim")
    ? args.ints("dim").map((axis) => axisOf(axis, dims.length))
    : [...dims.keys()];
  return dims.filter((dim, axis) => !given.includes(axis) || !surelyOne(dim));
});

function surelyOne(dim: Dim): boolean {
  const known = isOne(dim);
  if (known !== undefined) return known;
  throw new UnprovenSize(`whether the size ${keyOf(dim)} is 1 decides the rank`, {
    kind: "one",
    dim,
  });
}

const unsqueeze = onDims((dims, args) => {
  const axis = axisOf(args.int("dim"), dims.length + 1);
  return [...dims.slice(0, axis), 1, ...dims.slice(axis)];
});

const exchange = (first: string, second: string): ShapeFn =>
  onDims((dims, args) => {
    const [a, b] = [axisOf(args.int(first), dims.length), axisOf(args.int(second), dims.length)];
    return dims.map((dim, axis) => (axis === a ? dims[b]! : axis === b ? dims[a]! : dim));
  });

const permute = onDims((dims, args) => args.ints("dims").map((axis) => dims[axisOf(axis, dims.length)]!));

const movedim = onDims((dims, args) => {
  const axes = (name: string): number[] => args.ints(name).map((axis) => axisOf(axis, dims.length));
  const [source, destination] = [axes("source"), axes("destination")];
  const rest = [...dims.keys()].filter((axis) => !source.includes(axis));
  return dims.map((_, axis) => {
    const moved = destination.indexOf(axis);
    return dims[moved < 0 ? rest.shift()! : source[moved]!]!;
  });
});

const expand = (sizes: readonly Dim[], dims: readonly Dim[]): Dim[] => {
  const lead = sizes.length - dims.length;
  return sizes.map((size, axis) => {
    const dim = dims[axis - lead];
    if (size === -1) return dim ?? unsupportedOp("it expands a dimension that is not there to -1");
    if (dim !== undefined && dim !== 1) requireSame(dim, size);
    return size;
  });
};

/** A position that the data decides. */
function isOfAnySign(position: Dim): boolean {
  const { min, max } = boundsOf(position);
  return min === Number.NEGATIVE_INFINITY && max === Number.POSITIVE_INFINITY;
}

const slice = onDims((dims, args) => {
  const axis = axisOf(args.int("dim"), dims.length);
  const bounds = {
    start: args.has("start") ? args.size("start") : 0,
    end: args.has("end") ? args.size("end") : Number.MAX_SAFE_INTEGER,
    step: args.int("step"),
  };
  const isOpen = [bounds.start, bounds.end].some(isOfAnySign);
  return replaced(dims, axis, isOpen ? args.dataSize() : sliceLength(dims[axis]!, bounds));
});

const repeat = onDims((dims, args) => {
  const repeats = args.sizes("repeats");
  const lead = repeats.length - dims.length;
  return repeats.map((times, axis) => mul(times, dims[axis - lead] ?? 1));
});

const tile = onDims((dims, args) => {
  const times = args.sizes("dims");
  const rank = Math.max(times.length, dims.length);
  const at = (list: readonly Dim[], axis: number): Dim => list[axis - rank + list.length] ?? 1;
  return Array.from({ length: rank }, (_, axis) => mul(at(times, axis), at(dims, axis)));
});

const repeatInterleave = onDims((dims, args) => {
  if (!args.has("dim")) return [mul(product(dims), args.size("repeats"))];
  const axis = axisOf(args.int("dim"), dims.length);
  return replaced(dims, axis, mul(dims[axis]!, args.size("repeats")));
});

const pad = onDims((dims, args) => {
  const pads = args.sizes("pad");
  return dims.map((dim, axis) => {
    const at = (dims.length - 1 - axis) * 2;
    return sumOfSizes(dim, sumOfSizes(pads[at] ?? 0, pads[at + 1] ?? 0));
  });
});

const meshgrid: ShapeFn = (args) => {
  const tensors = args.tensors("tensors");
  const dims = tensors.map((tensor) => tensor.dims[0] ?? 1);
  if (args.has("indexing") && args.text("indexing") === "xy" && dims.length > 1) {
    [dims[0], dims[1]] = [dims[1]!, dims[0]!];
  }
  return tensors.map(({ dtype }) => tensorType(dtype, dims));
};

const broadcastTensors: ShapeFn = (args) => {
  const tensors = args.tensors("tensors");
  const dims = broadcast(...tensors.map((tensor) => tensor.dims));
  return tensors.map(({ dtype }) => tensorType(dtype, dims));
};

const SIZES: Readonly<Record<string, number>> = { bool: 1, bfloat16: 2, complex64: 8, complex128: 16 };

function bytesOf(dtype: DType): number {
  return SIZES[dtype] ?? Number(/\d+$/.exec(dtype)?.[0] ?? unsupportedOp(`the bits of ${dtype}`)) / 8;
}

/** The same bytes as numbers of another size. */
const viewAsType: ShapeFn = (args) => {
  const { dtype, dims } = args.tensor("self");
  const to = args.dtype() ?? dtype;
  const [from, size] = [bytesOf(dtype), bytesOf(to)];
  if (from === size) return tensorType(to, dims);
  const last = dims.at(-1) ?? unsupportedOp("a tensor without dimensions has no bytes to join");
  return tensorType(to, dims.with(-1, from > size ? mul(last, from / size) : quotient(last, size / from)));
};

const view = onDims((dims, args) => reshaped(dims, args.sizes(args.has("size") ? "size" : "shape")));

const likeOther = onDims((dims, args) => reshaped(dims, args.tensor("other").dims));

const lastSwapped = onDims((dims) => [...dims.slice(0, -2), ...dims.slice(-2).reverse()]);

const expanded = onDims((dims, args) => expand(args.sizes("size"), dims));

const selected = onDims((dims, args) => without(dims, axisOf(args.int("dim"), dims.length)));

const narrow = onDims((dims, args) =>
  replaced(dims, axisOf(args.int("dim"), dims.length), args.size("length")),
);

const rotated = onDims((dims, args) => {
  const [a, b] = args.ints("dims").map((axis) => axisOf(axis, dims.length));
  if (args.int("k") % 2 === 0) return dims;
  return dims.map((dim, axis) => (axis === a ? dims[b!]! : axis === b ? dims[a!]! : dim));
});

/** Undoes a broadcast. What is summed up is int64 where it was an integer. */
const summedTo: ShapeFn = (args) => {
  const { dtype, dims } = args.tensor("self");
  const size = args.sizes("size");
  for (const [i, own] of dims.slice(dims.length - size.length).entries())
    if (size[i] !== 1) requireSame(own, size[i]!);
  return tensorType(sameDims(size, dims) && size.length > 0 ? dtype : sumOf(dtype), size);
};

const difference: ShapeFn = (args) => {
  const { dtype, dims } = args.tensor("self");
  const axis = axisOf(args.int("dim"), dims.length);
  // No difference is taken, and nothing is put before or behind it then.
  if (args.int("n") === 0) return tensorType(dtype, dims);
  const ends = ["prepend", "append"].filter((name) => args.has(name)).map((name) => args.tensor(name));
  const whole = ends.map((end) => end.dims[axis] ?? 1).reduce<Dim>(add, dims[axis]!);
  return tensorType(dtype, replaced(dims, axis, sym("max", 0, sub(whole, args.int("n")))));
};

const turned = onDims((dims) => [...dims].reverse());

export const RESHAPING: ShapeTable = {
  "view.default": view,
  "view.dtype": viewAsType,
  view_copy: view,
  _reshape_alias: view,
  ravel: onDims((dims) => [product(dims)]),
  reshape: view,
  _unsafe_view: view,
  view_as: likeOther,
  reshape_as: likeOther,
  flatten,
  unflatten,
  squeeze,
  squeeze_copy: squeeze,
  unsqueeze,
  unsqueeze_copy: unsqueeze,
  "transpose.int": exchange("dim0", "dim1"),
  "transpose_copy.int": exchange("dim0", "dim1"),
  swapdims: exchange("dim0", "dim1"),
  swapaxes: exchange("axis0", "axis1"),
  permute,
  permute_copy: permute,
  "movedim.int": movedim,
  "movedim.intlist": movedim,
  t: turned,
  t_copy: turned,
  matrix_H: turned,
  mH: lastSwapped,
  adjoint: lastSwapped,
  numpy_T: turned,
  mT: lastSwapped,
  rot90: rotated,
  expand: expanded,
  expand_copy: expanded,
  broadcast_to: expanded,
  expand_as: onDims((dims, args) => expand(args.tensor("other").dims, dims)),
  "select.int": selected,
  "select_copy.int": selected,
  "slice.Tensor": slice,
  "slice_copy.Tensor": slice,
  narrow,
  narrow_copy: narrow,
  as_strided: onDims((_, args) => args.sizes("size")),
  as_strided_copy: onDims((_, args) => args.sizes("size")),
  as_strided_scatter: onDims((dims) => dims),
  sum_to_size: summedTo,
  chunk,
  unsafe_chunk: chunk,
  "split.Tensor": split,
  "split_copy.Tensor": split,
  "unsafe_split.Tensor": split,
  "split.sizes": splitBySizes,
  split_with_sizes: splitBySizes,
  split_with_sizes_copy: splitBySizes,
  unsafe_split_with_sizes: splitBySizes,
  "unbind.int": unbind,
  "unbind_copy.int": unbind,
  repeat,
  tile,
  "repeat_interleave.self_int": repeatInterleave,
  pad,
  constant_pad_nd: pad,
  reflection_pad1d: onDims((dims, args) => padded(dims, args.ints("padding"))),
  reflection_pad2d: onDims((dims, args) => padded(dims, args.ints("padding"))),
  replication_pad1d: onDims((dims, args) => padded(dims, args.ints("padding"))),
  replication_pad2d: onDims((dims, args) => padded(dims, args.ints("padding"))),
  replication_pad3d: onDims((dims, args) => padded(dims, args.ints("padding"))),
  reflection_pad3d: onDims((dims, args) => padded(dims, args.ints("padding"))),
  _pad_circular: pad,
  unfold,
  unfold_copy: unfold,
  col2im: imageOfColumns,
  im2col: patchColumns,
  pixel_shuffle: pixelShuffle((r) => [1 / (r * r), r]),
  pixel_unshuffle: pixelShuffle((r) => [r * r, 1 / r]),
  "diff.default": difference,
  meshgrid,
  broadcast_tensors: broadcastTensors,
};

function padded(dims: readonly Dim[], pads: readonly number[]): Dim[] {
  return dims.map((dim, axis) => {
    const at = (dims.length - 1 - axis) * 2;
    return sub(dim, -((pads[at] ?? 0) + (pads[at + 1] ?? 0)));
  });
}

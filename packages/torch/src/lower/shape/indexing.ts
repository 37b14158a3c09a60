import { type Dim, product, sameDims } from "../../graph/sym.ts";
import type { Attributes } from "../../onnx/model.ts";
import { invert } from "../core/axes.ts";
import type { Emitter } from "../core/emitter.ts";
import { asFittingItem } from "../core/fitting.ts";
import { withIndex } from "../core/index-check.ts";
import type { Lowering, LoweringTable } from "../core/lowering.ts";
import type { OpNode } from "../core/op-node.ts";
import { normalizeAxis, type Tensor, type Val } from "../core/tensor.ts";
import { unsupported } from "../core/unsupported.ts";

/** Which dimensions of a tensor are indexed, with what. */
interface Indexed {
  readonly axes: readonly number[];
  /** One int64 tensor per axis, broadcast against each other. */
  readonly indices: readonly Val[];
  /** The size that the indices have together, which masks decide at run time. */
  readonly shape: Val;
  readonly rank: number;
  /** Where these dimensions stand in the result. */
  readonly position: number;
}

/** The size of tensors broadcast against each other; refuses where it is not certain which one is stretched. */
export function broadcastDims(shapes: readonly (readonly Dim[])[]): Dim[] {
  const rank = Math.max(0, ...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, i) => {
    const sizes = shapes
      .map((shape) => shape[shape.length - rank + i])
      .filter((dim): dim is Dim => dim !== undefined && dim !== 1);
    return sizes.find((dim) => typeof dim === "number") ?? sizes[0] ?? 1;
  });
}

/** An index of one dimension, or of the several that a mask covers. */
interface Given {
  readonly axis: number;
  readonly index: Val;
  /** Its size; undefined for the coordinates of a mask: how many it sets is known at run time. */
  readonly dims: readonly Dim[] | undefined;
}

/** Reads the `indices` argument: tensors of integers, masks, None for "all of this dimension". */
function readIndices(node: OpNode, g: Emitter, self: Tensor): Indexed {
  const given: Given[] = [];
  let axis = 0;
  for (const index of node.optionalTensors("indices")) {
    if (index === undefined) {
      axis += 1;
      continue;
    }
    if (index.dtype === "uint8") unsupported("a mask of bytes is an index; make it one of booleans");
    const read = index.dtype === "bool" ? coordinatesOf(g, index, axis) : [plainIndex(g, index, axis)];
    given.push(...read);
    axis += read.length;
  }
  if (axis > self.dims.length) unsupported("more indices than dimensions");
  noteRanges(g, self, given);
  const axes = given.map((item) => item.axis);
  const isAdjacent = axes.every((value, i) => i === 0 || value === axes[i - 1]! + 1);
  const position = isAdjacent ? (axes[0] ?? 0) : 0;
  return { axes, indices: given.map(({ index }) => index), position, ...commonShape(g, given) };
}

/** Several indices are checked one by one, where none of them is stretched to the size of another (or to nothing). */
function noteRanges(g: Emitter, self: Tensor, given: readonly Given[]): void {
  const [first] = given;
  if (!given.every(({ dims }) => dims !== undefined && sameDims(dims, first!.dims!))) return;
  for (const { index, axis } of given)
    g.indexInputs.note(g.builder, index, { size: self.dims[axis], wraps: true });
}

function plainIndex(g: Emitter, index: Tensor, axis: number): Given {
  return { axis, index: g.cast(index, "int64"), dims: index.dims };
}

/** A mask as one list of coordinates for each dimension that it covers. */
function coordinatesOf(g: Emitter, mask: Tensor, axis: number): Given[] {
  if (mask.dims.length === 0) return unsupported("a mask without dimensions is an index");
  const set = g.op("NonZero", [mask]);
  return mask.dims.map((_, i) => ({
    axis: axis + i,
    index: g.op("Gather", [set, g.scalar("int64", i)], { axis: 0 }),
    dims: undefined,
  }));
}

/** The size of all indices broadcast against each other. */
function commonShape(g: Emitter, given: readonly Given[]): Pick<Indexed, "shape" | "rank"> {
  const known = given.flatMap(({ dims }) => (dims === undefined ? [] : [dims]));
  if (known.length === given.length) {
    const dims = broadcastDims(known);
    return { shape: g.shape(dims), rank: dims.length };
  }
  const sum = given.map(({ index }) => index).reduce((a, b) => g.op("Add", [a, b]));
  return { shape: g.op("Shape", [sum]), rank: Math.max(1, ...known.map((dims) => dims.length)) };
}

/** aten::index.Tensor(Tensor self, Tensor?[] indices) -> Tensor */
export const index: Lowering = (node, g) => {
  const self = node.tensor("self");
  const mask = soleMask(node, self);
  if (mask !== undefined) return masked(g, self, mask);
  const { axes, indices, shape, rank, position } = readIndices(node, g, self);
  if (axes.length === 0) return self;
  const [axis] = axes;
  if (axes.length === 1)
    return withIndex(node, g, {
      use: { index: indices[0]!, size: self.dims[axis!], wraps: true },
      emit: (rows) => g.op("Gather", [self, rows], { axis: axis! }),
    });
  const others = self.dims.map((_, i) => i).filter((axis) => !axes.includes(axis));
  const front = g.transpose(self, [...axes, ...others]);
  const gathered = withIndex(node, g, {
    use: { index: coordinates(g, indices, shape), size: undefined, sizes: sizesAt(self, axes), wraps: true },
    emit: (places) => g.op("GatherND", [front, places]),
  });
  return g.transpose(gathered, moveFrontTo(position, rank, others.length));
};

function sizesAt({ dims }: Tensor, axes: readonly number[]): ReadonlyMap<number, number> {
  const known = axes.flatMap((axis) => {
    const size = dims[axis];
    return typeof size === "number" ? [[axis, size] as const] : [];
  });
  return new Map(known);
}

/** The mask when it alone indexes the leading dimensions. */
function soleMask(node: OpNode, self: Tensor): Tensor | undefined {
  const [first, ...rest] = node.optionalTensors("indices");
  const isMask = first?.dtype === "bool" && first.dims.length > 0 && first.dims.length <= self.dims.length;
  return isMask && rest.every((item) => item === undefined) ? first : undefined;
}

function masked(g: Emitter, self: Tensor, mask: Tensor): Val {
  return g.op("GatherND", [self, g.transpose(g.op("NonZero", [mask]), [1, 0])]);
}

/** Index tensors side by side along a new last dimension: [...shape, k]. */
function coordinates(g: Emitter, indices: readonly Val[], shape: Val): Val {
  const parts = indices.map((item) => g.unsqueeze(g.op("Expand", [item, shape]), [-1]));
  return parts.length === 1 ? parts[0]! : g.op("Concat", parts, { axis: -1 });
}

/** The permutation that moves the first `count` dimensions behind the `position` next ones. */
function moveFrontTo(position: number, count: number, others: number): number[] {
  const front = Array.from({ length: count }, (_, i) => i);
  const rest = Array.from({ length: others }, (_, i) => count + i);
  return [...rest.slice(0, position), ...front, ...rest.slice(position)];
}

/** aten::index_put(Tensor self, Tensor?[] indices, Tensor values, bool accumulate=False) -> Tensor */
export const indexPut: Lowering = (node, g) => {
  const self = node.tensor("self");
  const values = g.cast(node.tensor("values"), self.dtype);
  const mask = soleMask(node, self);
  if (mask !== undefined) return putMasked(node, g, { self, values, mask });
  const indexed = readIndices(node, g, self);
  return putAt(g, self, {
    indexed,
    values,
    attributes: node.bool("accumulate") ? { reduction: "add" } : {},
    at: (emit) => {
      const index = coordinates(g, indexed.indices, indexed.shape);
      const sizes = sizesAt(self, indexed.axes);
      return withIndex(node, g, { use: { index, size: undefined, sizes, wraps: true }, emit });
    },
  });
};

interface Put {
  readonly indexed: Indexed;
  readonly values: Val;
  readonly attributes: Attributes;
  /** What `emit` makes of the places, side by side. */
  readonly at: (emit: (places: Val) => Val) => Val;
}

function putAt(g: Emitter, self: Tensor, { indexed, values, attributes, at }: Put): Val {
  const { axes, shape, rank, position } = indexed;
  const others = self.dims.map((_, i) => i).filter((axis) => !axes.includes(axis));
  const perm = [...axes, ...others];
  const rest = others.map((axis) => self.dims[axis]!);
  const sizes = [rest.slice(0, position), rest.slice(position)].map((dims) => g.shape(dims));
  const placed = g.op("Concat", [sizes[0]!, shape, sizes[1]!], { axis: 0 });
  const toFront = invert(moveFrontTo(position, rank, others.length));
  const updates = g.transpose(g.op("Expand", [values, placed]), toFront);
  const put = at((places) => g.op("ScatterND", [g.transpose(self, perm), places, updates], attributes));
  return g.transpose(put, invert(perm));
}

interface MaskedPut {
  readonly self: Tensor;
  readonly values: Val;
  readonly mask: Tensor;
}

/** With one value for all, a mask is a Where; several values go to the mask's true elements one by one. */
function putMasked(node: OpNode, g: Emitter, { self, values, mask }: MaskedPut): Val {
  const { dims } = node.tensor("values");
  const rest = self.dims.slice(mask.dims.length);
  if (product(dims) === 1 && !node.bool("accumulate")) {
    const trailing = rest.map((_, i) => mask.dims.length + i);
    return g.where(g.unsqueeze(mask, trailing), g.reshape(values, []), self);
  }
  const places = g.transpose(g.op("NonZero", [mask]), [1, 0]);
  const count = g.op("Shape", [places], { start: 0, end: 1 });
  const shape = rest.length === 0 ? count : g.op("Concat", [count, g.shape(rest)], { axis: 0 });
  const dtype = self.dtype === "bool" ? "int32" : self.dtype;
  const put = g.op(
    "ScatterND",
    [g.cast(self, dtype), places, g.op("Expand", [g.cast(values, dtype), shape])],
    node.bool("accumulate") ? { reduction: "add" } : {},
  );
  return g.cast(put, self.dtype);
}

/** Integer indices of leading dimensions, brought into their range: they are looked at where a mask says so, and are anything elsewhere. */
function clampedIndices(node: OpNode, g: Emitter, self: Tensor): Indexed {
  const given = node.optionalTensors("indices").flatMap((index, axis): Given[] => {
    if (index === undefined) return [];
    if (index.dtype === "bool") return unsupported("a mask among its indices");
    const size = g.number(self.dims[axis]!, "int64");
    const last = g.op("Sub", [size, g.scalar("int64", 1)]);
    const within = g.op("Min", [g.op("Max", [g.cast(index, "int64"), g.op("Neg", [size])]), last]);
    return [{ axis, index: within, dims: index.dims }];
  });
  const axes = given.map((item) => item.axis);
  const isAdjacent = axes.every((value, i) => i === 0 || value === axes[i - 1]! + 1);
  const position = isAdjacent ? (axes[0] ?? 0) : 0;
  return { axes, indices: given.map(({ index }) => index), position, ...commonShape(g, given) };
}

/** aten::_unsafe_masked_index(Tensor self, Tensor mask, Tensor?[] indices, Scalar fill) -> Tensor */
export const unsafeMaskedIndex: Lowering = (node, g) => {
  const self = node.tensor("self");
  const { axes, indices, shape, rank, position } = clampedIndices(node, g, self);
  const others = self.dims.map((_, i) => i).filter((axis) => !axes.includes(axis));
  const front = g.transpose(self, [...axes, ...others]);
  const found = g.op("GatherND", [front, coordinates(g, indices, shape)]);
  const placed = g.transpose(found, moveFrontTo(position, rank, others.length));
  return g.where(
    g.cast(node.tensor("mask"), "bool"),
    placed,
    asFittingItem(g, node.scalar("fill"), self.dtype),
  );
};

/** aten::_unsafe_masked_index_put_accumulate(Tensor self, Tensor mask, Tensor?[] indices, Tensor values) -> Tensor */
export const unsafeMaskedIndexPut: Lowering = (node, g) => {
  const self = node.tensor("self");
  const indexed = clampedIndices(node, g, self);
  const values = g.where(
    g.cast(node.tensor("mask"), "bool"),
    g.cast(node.tensor("values"), self.dtype),
    g.scalar(self.dtype, 0),
  );
  return putAt(g, self, {
    indexed,
    values,
    attributes: { reduction: "add" },
    at: (emit) => emit(coordinates(g, indexed.indices, indexed.shape)),
  });
};

/** aten::index_select(Tensor self, int dim, Tensor index) -> Tensor */
export const indexSelect: Lowering = (node, g) => {
  const self = node.tensor("self");
  const index = node.tensor("index");
  const axis = normalizeAxis(node.int("dim"), self.dims.length);
  const from = self.dims.length === 0 ? g.unsqueeze(self, [0]) : self;
  const found = withIndex(node, g, {
    use: { index, size: self.dims.length === 0 ? 1 : self.dims[axis]! },
    emit: (rows) => g.op("Gather", [from, index.dims.length === 0 ? g.unsqueeze(rows, [0]) : rows], { axis }),
  });
  return self.dims.length === 0 ? g.squeeze(found, [0]) : found;
};

/** aten::gather(Tensor self, int dim, Tensor index, *, bool sparse_grad=False) -> Tensor */
export const gather: Lowering = (node, g) => {
  const self = node.tensor("self");
  const index = node.tensor("index");
  const { dims } = node.out();
  // A 0-d operand counts as one element along one dimension; gathering nothing gives nothing, whatever the operands' sizes.
  if (self.dims.length === 0 || index.dims.length === 0) {
    const flat = (tensor: Val): Val => g.op("Reshape", [tensor, g.ints([-1])]);
    const found = withIndex(node, g, {
      use: { index, size: self.dims.length === 0 ? 1 : self.dims[0] },
      emit: (rows) => g.op("Gather", [flat(self), flat(rows)], { axis: 0 }),
    });
    return g.reshape(found, dims);
  }
  const axis = normalizeAxis(node.int("dim"), self.dims.length);
  return withIndex(node, g, {
    use: { index, size: self.dims[axis]!, isUntold: true },
    emit: (positions) => g.op("GatherElements", [self, positions], { axis }),
  });
};

export const INDEXING: LoweringTable = {
  "aten.index.Tensor": index,
  "aten.index_put.default": indexPut,
  "aten._unsafe_masked_index.default": unsafeMaskedIndex,
  "aten._unsafe_masked_index_put_accumulate.default": unsafeMaskedIndexPut,
  "aten.index_select.default": indexSelect,
  "aten.gather.default": gather,
};

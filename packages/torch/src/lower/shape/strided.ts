import { type Dim, isStatic, product } from "../../graph/sym.ts";
import { arange } from "../core/arange.ts";
import { invert } from "../core/axes.ts";
import type { Emitter } from "../core/emitter.ts";
import type { Lowering, LoweringTable } from "../core/lowering.ts";
import type { OpNode } from "../core/op-node.ts";
import { normalizeAxis, type Tensor, type Val } from "../core/tensor.ts";
import { unsupported } from "../core/unsupported.ts";

/** Elements of a tensor's memory in the order in which they lie there. */
interface Memory {
  readonly flat: Val;
  /** Of `self`, most distant first: transposing by it gives the memory's order. */
  readonly perm: readonly number[];
  readonly size: number;
}

/** Lays `self` out as PyTorch holds it; refuses where that is not known or has holes. */
function memoryOf(node: OpNode, g: Emitter, self: Tensor): Memory {
  const { strides } = node.layout("self");
  if (!isStatic(self.dims)) return unsupported("the tensor has sizes that are not constant");
  if (strides === undefined || !isStatic(strides))
    return unsupported("how the tensor lies in memory is not known");
  const dims = self.dims;
  const perm = dims
    .map((_, axis) => axis)
    .sort((a, b) => Number(dims[a] === 1) - Number(dims[b] === 1) || strides[b]! - strides[a]! || a - b);
  let expected = 1;
  for (const axis of perm.toReversed()) {
    if (dims[axis] !== 1 && strides[axis] !== expected)
      return unsupported("the tensor is a part of a larger one");
    expected *= dims[axis]!;
  }
  return { flat: g.reshape(g.transpose(self, perm), [product(dims)]), perm, size: expected };
}

/** Positions in memory that `as_strided` selects, in row-major order. */
function positions(node: OpNode, size: number): { at: number[]; dims: number[] } {
  const [dims, strides] = [node.ints("size"), node.ints("stride")];
  let at = [startOf(node)];
  for (const [axis, length] of dims.entries()) {
    const stride = strides[axis]!;
    if (at.length * length > MAX_POSITIONS)
      return unsupported(`more than ${MAX_POSITIONS} elements are selected`);
    at = at.flatMap((from) => Array.from({ length }, (_, i) => from + i * stride));
  }
  if (at.some((position) => position >= size)) return unsupported("it reads memory outside of the tensor");
  return { at, dims };
}

const MAX_POSITIONS = 1 << 20;

/** The first position, counted from where self starts. */
function startOf(node: OpNode): number {
  if (!node.has("storage_offset")) return 0;
  const { offset } = node.layout("self");
  const from = node.int("storage_offset");
  if (offset !== 0) return unsupported("where the tensor starts in its memory is not known");
  return from;
}

/**
 * aten::as_strided(Tensor(a) self, SymInt[] size, SymInt[] stride, SymInt? storage_offset=None) -> Tensor(a)
 * aten::as_strided_copy(Tensor self, SymInt[] size, SymInt[] stride, SymInt? storage_offset=None) -> Tensor
 */
export const asStrided: Lowering = (node, g) => {
  const { flat, size } = memoryOf(node, g, node.tensor("self"));
  const { at, dims } = positions(node, size);
  return g.op("Gather", [flat, g.constant("int64", at, dims)], { axis: 0 });
};

/** aten::as_strided_scatter(Tensor self, Tensor src, SymInt[] size, SymInt[] stride, SymInt? storage_offset=None) -> Tensor */
export const asStridedScatter: Lowering = (node, g) => {
  const self = node.tensor("self");
  const { flat, size, perm } = memoryOf(node, g, self);
  const { at } = positions(node, size);
  if (new Set(at).size < at.length) unsupported("it writes an element more than once");
  const src = g.cast(g.reshape(node.tensor("src"), [at.length]), self.dtype);
  const written = g.op("ScatterElements", [flat, g.ints(at), src], { axis: 0 });
  const ordered = perm.map((axis) => self.dims[axis]!);
  return g.transpose(g.reshape(written, ordered), invert(perm));
};

/**
 * aten::unfold(Tensor(a) self, int dimension, int size, int step) -> Tensor(a)
 * aten::unfold_copy(Tensor self, int dimension, int size, int step) -> Tensor
 *
 * Windows along a new last dimension.
 */
export const unfold: Lowering = (node, g) => {
  const self = node.tensor("self");
  const [size, step] = [node.int("size"), node.int("step")];
  const rank = self.dims.length;
  if (rank === 0) return size === 0 ? unsupported("an empty window") : g.reshape(self, [1]);
  const axis = normalizeAxis(node.int("dimension"), rank);
  const count: Dim = node.out().dims[axis]!;
  const windows = g.op("Add", [
    g.unsqueeze(arange(g, count, { step }), [1]),
    g.unsqueeze(arange(g, size), [0]),
  ]);
  const gathered = g.op("Gather", [self, windows], { axis });
  const perm = Array.from({ length: rank + 1 }, (_, i) => i).filter((i) => i !== axis + 1);
  return g.transpose(gathered, [...perm, axis + 1]);
};

export const STRIDED: LoweringTable = {
  "aten.as_strided.default": asStrided,
  "aten.as_strided_copy.default": asStrided,
  "aten.as_strided_scatter.default": asStridedScatter,
  "aten.unfold.default": unfold,
  "aten.unfold_copy.default": unfold,
};

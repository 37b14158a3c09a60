import { add, type Dim, mul, sub, sym } from "../../graph/sym.ts";
import type { Emitter } from "../core/emitter.ts";
import type { Lowering, LoweringTable } from "../core/lowering.ts";
import { normalizeAxis, type Tensor, type Val } from "../core/tensor.ts";

/** Takes `[start, end)` with a step along one axis; bounds count from the end when negative and are clamped, as in Python. */
export function slice(
  g: Emitter,
  x: Val,
  { axis, start, end, step = 1 }: { axis: number; start: Dim; end: Dim; step?: Dim },
): Val {
  return g.op("Slice", [x, g.shape([start]), g.shape([end]), g.ints([axis]), g.shape([step])]);
}

/**
 * aten::select.int(Tensor(a) self, int dim, SymInt index) -> Tensor(a)
 * aten::select_copy.int(Tensor self, int dim, SymInt index) -> Tensor
 */
export const select: Lowering = (node, g) => {
  const self = node.tensor("self");
  const index = node.size("index");
  const at = typeof index === "number" ? g.scalar("int64", index) : g.number(index, "int64");
  return g.op("Gather", [self, at], { axis: normalizeAxis(node.int("dim"), self.dims.length) });
};

/**
 * aten::slice.Tensor(Tensor(a) self, int dim=0, SymInt? start=None, SymInt? end=None, SymInt step=1) -> Tensor(a)
 * aten::slice_copy.Tensor(Tensor self, int dim=0, SymInt? start=None, SymInt? end=None, SymInt step=1) -> Tensor
 */
export const sliceTensor: Lowering = (node, g) => {
  const self = node.tensor("self");
  const start = node.has("start") ? node.size("start") : 0;
  const end = node.has("end") ? node.size("end") : Number.MAX_SAFE_INTEGER;
  const step = node.size("step");
  if (start === 0 && step === 1 && end === Number.MAX_SAFE_INTEGER) return self;
  return slice(g, self, { axis: normalizeAxis(node.int("dim"), self.dims.length), start, end, step });
};

/**
 * aten::narrow(Tensor(a) self, int dim, SymInt start, SymInt length) -> Tensor(a)
 * aten::narrow_copy(Tensor self, int dim, SymInt start, SymInt length) -> Tensor
 */
export const narrow: Lowering = (node, g) => {
  const self = node.tensor("self");
  const axis = normalizeAxis(node.int("dim"), self.dims.length);
  const given = node.size("start");
  const start = typeof given === "number" && given < 0 ? add(self.dims[axis]!, given) : given;
  return slice(g, self, { axis, start, end: add(start, node.size("length")) });
};

/** Cuts into pieces of the given sizes along `axis`. */
export function split(g: Emitter, self: Tensor, axis: number, sizes: readonly Dim[]): Val[] {
  if (sizes.length === 1) return [self];
  return g.ops("Split", [self, g.shape(sizes)], { count: sizes.length, attributes: { axis } });
}

/** `count` pieces of `size`, the last one takes what is left. */
function pieces(total: Dim, size: Dim, count: number): Dim[] {
  return Array.from({ length: count }, (_, i) => (i < count - 1 ? size : sub(total, mul(size, count - 1))));
}

/**
 * aten::split.Tensor(Tensor(a -> *) self, SymInt split_size, int dim=0) -> Tensor(a)[]
 * aten::split_copy.Tensor(Tensor self, SymInt split_size, int dim=0) -> Tensor[]
 * aten::unsafe_split.Tensor(Tensor self, SymInt split_size, int dim=0) -> Tensor[]
 */
export const splitTensor: Lowering = (node, g) => {
  const self = node.tensor("self");
  const axis = normalizeAxis(node.int("dim"), self.dims.length);
  return split(g, self, axis, pieces(self.dims[axis]!, node.size("split_size"), node.outputCount));
};

/**
 * aten::split_with_sizes(Tensor(a -> *) self, SymInt[] split_sizes, int dim=0) -> Tensor(a)[]
 * aten::split.sizes(Tensor(a -> *) self, SymInt[] split_size, int dim=0) -> Tensor(a)[]
 * aten::split_with_sizes_copy(Tensor self, SymInt[] split_sizes, int dim=0) -> Tensor[]
 * aten::unsafe_split_with_sizes(Tensor self, SymInt[] split_sizes, int dim=0) -> Tensor[]
 */
export const splitWithSizes: Lowering = (node, g) => {
  const self = node.tensor("self");
  const sizes = node.sizes(node.has("split_sizes") ? "split_sizes" : "split_size");
  return split(g, self, normalizeAxis(node.int("dim"), self.dims.length), sizes);
};

/**
 * aten::chunk(Tensor(a -> *) self, int chunks, int dim=0) -> Tensor(a)[]
 * aten::unsafe_chunk(Tensor self, int chunks, int dim=0) -> Tensor[]
 */
export const chunk: Lowering = (node, g) => {
  const self = node.tensor("self");
  const axis = normalizeAxis(node.int("dim"), self.dims.length);
  const chunks = node.int("chunks");
  const size = sym("floordiv", add(self.dims[axis]!, chunks - 1), chunks);
  return split(g, self, axis, pieces(self.dims[axis]!, size, node.outputCount));
};

/**
 * aten::unbind.int(Tensor(a -> *) self, int dim=0) -> Tensor(a)[]
 * aten::unbind_copy.int(Tensor self, int dim=0) -> Tensor[]
 */
export const unbind: Lowering = (node, g) => {
  const self = node.tensor("self");
  const axis = normalizeAxis(node.int("dim"), self.dims.length);
  return Array.from({ length: node.outputCount }, (_, i) =>
    node.isUsed(i) ? g.op("Gather", [self, g.scalar("int64", i)], { axis }) : undefined,
  );
};

export const SLICING: LoweringTable = {
  "aten.select.int": select,
  "aten.slice.Tensor": sliceTensor,
  "aten.narrow.default": narrow,
  "aten.split.Tensor": splitTensor,
  "aten.split.sizes": splitWithSizes,
  "aten.split_with_sizes.default": splitWithSizes,
  "aten.chunk.default": chunk,
  "aten.unbind.int": unbind,
};

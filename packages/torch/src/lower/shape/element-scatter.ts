import type { DType } from "../../dtype.ts";
import { type Dim, product, sameDim } from "../../graph/sym.ts";
import type { Emitter } from "../core/emitter.ts";
import { withIndex } from "../core/index-check.ts";
import type { Lowering, LoweringTable } from "../core/lowering.ts";
import type { OpNode } from "../core/op-node.ts";
import { isFloat, normalizeAxis, type Tensor, type Val } from "../core/tensor.ts";
import { unsupported } from "../core/unsupported.ts";
import { slice } from "./slicing.ts";

/** What is done to an element that is already there. */
export type Reduction = "none" | "add" | "mul" | "max" | "min";

/** Elements of `updates` put into `data` along `axis`, at the positions `index` (as large as `updates`). */
export interface Scatter {
  readonly data: Val;
  /** How many positions there are along `axis`. */
  readonly size: Dim;
  readonly index: Val;
  readonly updates: Val;
  readonly axis: number;
}

/** ScatterElements. Booleans are added and multiplied as integers. */
export function scatterElements(
  g: Emitter,
  { data, index, updates, axis }: Scatter,
  reduction: Reduction,
): Val {
  const dtype: DType = data.dtype === "bool" && reduction !== "none" ? "int32" : data.dtype;
  const attributes = reduction === "none" ? { axis } : { axis, reduction };
  const operands = [g.cast(data, dtype), g.cast(index, "int64"), g.cast(updates, dtype)];
  return g.cast(g.op("ScatterElements", operands, attributes), data.dtype);
}

/** A 0-d tensor as a 1-d one: ONNX has no axes on scalars. */
export function atLeastOneDim(g: Emitter, tensor: Tensor): Tensor {
  return tensor.dims.length > 0
    ? tensor
    : { ...tensor, ...g.reshape(tensor, [1]), dims: [1], declared: tensor.declared };
}

/** The leading part of `x` that has the size `dims`. */
function crop(g: Emitter, x: Tensor, dims: readonly Dim[]): Val {
  return dims.reduce<Val>(
    (val, dim, axis) => (sameDim(dim, x.dims[axis]!) ? val : slice(g, val, { axis, start: 0, end: dim })),
    x,
  );
}

/** Emits what `emit` makes of a scatter whose index was checked: PyTorch takes no negative ones here, unless told otherwise. */
export function withChecked(
  node: OpNode,
  g: Emitter,
  { given, wraps = false, emit }: { given: Scatter; wraps?: boolean; emit: (given: Scatter) => Val },
): Val {
  const use = { index: given.index, size: given.size, wraps, isUntold: true };
  return withIndex(node, g, { use, emit: (index) => emit({ ...given, index }) });
}

/** Reads self, dim and index of the scatter family, with `src` cut to the size of `index` and in self's dtype. */
function readScatter(node: OpNode, g: Emitter): Scatter {
  const data = atLeastOneDim(g, node.tensor("self"));
  const index = atLeastOneDim(g, node.tensor("index"));
  const source = node.operand(node.has("src") ? "src" : "value");
  const updates =
    "name" in source && source.dims.length > 0
      ? crop(g, { ...source, ...g.cast(source, data.dtype) }, index.dims)
      : g.expand(g.as(source, data.dtype), index.dims);
  const axis = normalizeAxis(node.int("dim"), data.dims.length);
  return { data, size: data.dims[axis]!, index, updates, axis };
}

/** Whether nothing is scattered: PyTorch returns self then, whatever the other sizes are. */
export function isNothing(node: OpNode): boolean {
  return product(node.tensor("index").dims) === 0;
}

const REDUCE_NAMES: Readonly<Record<string, Reduction>> = { add: "add", multiply: "mul" };

/**
 * aten::scatter.src(Tensor self, int dim, Tensor index, Tensor src) -> Tensor
 * aten::scatter.reduce(Tensor self, int dim, Tensor index, Tensor src, *, str reduce) -> Tensor
 * aten::scatter.value(Tensor self, int dim, Tensor index, Scalar value) -> Tensor
 * aten::scatter.value_reduce(Tensor self, int dim, Tensor index, Scalar value, *, str reduce) -> Tensor
 *
 */
export const scatter: Lowering = (node, g) => {
  if (isNothing(node)) return node.tensor("self");
  const name = node.has("reduce") ? node.string("reduce") : undefined;
  const reduction =
    name === undefined ? "none" : (REDUCE_NAMES[name] ?? unsupported(`the reduction ${name}`));
  const emit = (given: Scatter): Val => scatterElements(g, given, reduction);
  return g.reshape(withChecked(node, g, { given: readScatter(node, g), emit }), node.out().dims);
};

/** aten::scatter_add(Tensor self, int dim, Tensor index, Tensor src) -> Tensor */
export const scatterAdd: Lowering = (node, g) => {
  if (isNothing(node)) return node.tensor("self");
  const emit = (given: Scatter): Val => scatterElements(g, given, "add");
  return g.reshape(withChecked(node, g, { given: readScatter(node, g), emit }), node.out().dims);
};

/** aten::scatter_reduce.two(Tensor self, int dim, Tensor index, Tensor src, str reduce, *, bool include_self=True) -> Tensor */
export const scatterReduce: Lowering = (node, g) => {
  if (isNothing(node)) return node.tensor("self");
  const how = { reduce: node.string("reduce"), includesSelf: node.bool("include_self") };
  const emit = (given: Scatter): Val => reduceInto(g, given, how);
  return g.reshape(withChecked(node, g, { given: readScatter(node, g), emit }), node.out().dims);
};

interface ReduceOptions {
  readonly reduce: string;
  /** False: what `self` holds at the positions written to does not count. */
  readonly includesSelf: boolean;
}

/** Combines updates that meet at one position, and what `data` holds there where that counts. Throws Unsupported for other reductions. */
export function reduceInto(g: Emitter, given: Scatter, { reduce, includesSelf }: ReduceOptions): Val {
  const { data } = given;
  if (reduce === "amax" || reduce === "amin") {
    return extremeInto(g, given, { type: reduce === "amax" ? "max" : "min", includesSelf });
  }
  const neutral = g.scalar(data.dtype, reduce === "prod" ? 1 : 0);
  const scattered = includesSelf ? given : { ...given, data: cleared(g, given, neutral) };
  if (reduce === "prod") return scatterElements(g, scattered, "mul");
  const sum = scatterElements(g, scattered, "add");
  if (reduce === "sum") return sum;
  if (reduce !== "mean") return unsupported(`the reduction ${reduce}`);
  const ones = filledLike(g, given.updates, g.scalar(data.dtype, 1));
  const start = filledLike(g, data, g.scalar(data.dtype, includesSelf ? 1 : 0));
  const count = g.op("Max", [
    scatterElements(g, { ...given, data: start, updates: ones }, "add"),
    g.scalar(data.dtype, 1),
  ]);
  if (isFloat(data.dtype)) return g.op("Div", [sum, count]);
  return g.op("Div", [g.op("Sub", [sum, g.op("Mod", [sum, count], { fmod: 0 })]), count]);
}

/** `data` with a neutral value where something will be put. */
function cleared(g: Emitter, given: Scatter, neutral: Val): Val {
  return scatterElements(g, { ...given, updates: filledLike(g, given.updates, neutral) }, "none");
}

function filledLike(g: Emitter, like: Val, value: Val): Val {
  return g.op("Expand", [value, g.op("Shape", [like])]);
}

/** The largest or smallest, with NaN winning as in PyTorch (ScatterElements compares, and NaN never compares). */
function extremeInto(
  g: Emitter,
  given: Scatter,
  { type, includesSelf }: { type: "max" | "min"; includesSelf: boolean },
): Val {
  const { data, updates } = given;
  const neutral = g.scalar(data.dtype, extremeOf(data.dtype, type === "max"));
  const base = includesSelf ? data : cleared(g, given, neutral);
  if (!isFloat(data.dtype)) return scatterElements(g, { ...given, data: base }, type);
  const isNan = (val: Val): Val => g.cast(g.op("IsNaN", [val]), "int32");
  const extreme = scatterElements(
    g,
    { ...given, data: base, updates: g.where(g.op("IsNaN", [updates]), neutral, updates) },
    type,
  );
  const hasNan = scatterElements(g, { ...given, data: isNan(base), updates: isNan(updates) }, "max");
  return g.where(hasNan, g.scalar(data.dtype, Number.NaN), extreme);
}

/** The lowest or highest value of a dtype. */
export function extremeOf(dtype: DType, isLowest: boolean): number | bigint {
  if (isFloat(dtype)) return isLowest ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  if (dtype === "bool") return isLowest ? 0 : 1;
  const bits = BigInt(dtype.replace(/^u?int/, ""));
  if (dtype.startsWith("u")) return isLowest ? 0n : (1n << bits) - 1n;
  return isLowest ? -(1n << (bits - 1n)) : (1n << (bits - 1n)) - 1n;
}

/** aten::put(Tensor self, Tensor index, Tensor source, bool accumulate=False) -> Tensor: positions in the flattened tensor */
export const put: Lowering = (node, g) => {
  if (isNothing(node)) return node.tensor("self");
  const self = node.tensor("self");
  const index = node.tensor("index");
  const flat = (tensor: Tensor): Val => g.reshape(tensor, [product(tensor.dims)]);
  const given = {
    data: flat(self),
    index: flat(index),
    updates: g.cast(flat(node.tensor("source")), self.dtype),
    axis: 0,
    size: product(self.dims),
  };
  const emit = (checked: Scatter): Val =>
    scatterElements(g, checked, node.bool("accumulate") ? "add" : "none");
  return g.reshape(withChecked(node, g, { given, wraps: true, emit }), self.dims);
};

/** aten::take(Tensor self, Tensor index) -> Tensor: positions in the flattened tensor */
export const take: Lowering = (node, g) => {
  const self = node.tensor("self");
  const size = product(self.dims);
  return withIndex(node, g, {
    use: { index: node.tensor("index"), size, wraps: true },
    emit: (places) => g.op("Gather", [g.reshape(self, [size]), places], { axis: 0 }),
  });
};

/**
 * aten::take_along_dim(Tensor self, Tensor indices, int? dim=None) -> Tensor
 *
 * Both are broadcast, but for `dim`, along which every index counts modulo the size; without `dim` it has to be in range.
 */
export const takeAlongDim: Lowering = (node, g) => {
  const self = node.tensor("self");
  const indices = node.tensor("indices");
  const { dims } = node.out();
  if (!node.has("dim")) {
    const size = product(self.dims);
    const found = withIndex(node, g, {
      use: { index: indices, size },
      emit: (places) =>
        g.op("Gather", [g.reshape(self, [size]), g.reshape(places, [product(indices.dims)])], { axis: 0 }),
    });
    return g.reshape(found, dims);
  }
  const axis = normalizeAxis(node.int("dim"), self.dims.length);
  const data = g.expand(
    self,
    dims.map((dim, i) => (i === axis ? self.dims[axis]! : dim)),
  );
  const size = g.op("Max", [g.number(self.dims[axis]!, "int64"), g.scalar("int64", 1)]);
  const places = g.op("Mod", [g.cast(indices, "int64"), size], { fmod: 0 });
  return g.op("GatherElements", [data, g.expand(places, dims)], { axis });
};

export const ELEMENT_SCATTER: LoweringTable = {
  "aten.scatter.src": scatter,
  "aten.scatter.value": scatter,
  "aten.scatter.reduce": scatter,
  "aten.scatter.value_reduce": scatter,
  "aten.scatter_add.default": scatterAdd,
  "aten.scatter_reduce.two": scatterReduce,
  "aten.put.default": put,
  "aten.take.default": take,
  "aten.take_along_dim.default": takeAlongDim,
};

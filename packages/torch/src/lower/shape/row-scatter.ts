import { type Dim, product } from "../../graph/sym.ts";
import type { Emitter } from "../core/emitter.ts";
import { asFittingItem } from "../core/fitting.ts";
import type { Lowering, LoweringTable } from "../core/lowering.ts";
import type { OpNode } from "../core/op-node.ts";
import { normalizeAxis, type Tensor, type Val } from "../core/tensor.ts";
import {
  atLeastOneDim,
  isNothing,
  reduceInto,
  type Scatter,
  scatterElements,
  withChecked,
} from "./element-scatter.ts";

/** A scatter of whole rows, whose index is 1-d (or 0-d) and `updates` of the size `dims`. */
interface RowScatter extends Scatter {
  readonly index: Tensor;
  readonly dims: readonly Dim[];
}

/** `withChecked`, with the index repeated to the size of the updates. */
function withRows(
  node: OpNode,
  g: Emitter,
  { given, wraps = false, emit }: { given: RowScatter; wraps?: boolean; emit: (given: Scatter) => Val },
): Val {
  const { axis, dims } = given;
  const repeated = (index: Val): Val => rowIndex(g, { ...given.index, ...index }, { axis, dims });
  return withChecked(node, g, {
    given,
    wraps,
    emit: (rows) => emit({ ...rows, index: repeated(rows.index) }),
  });
}

/** Reads self, dim, a 1-d index and `source` of the index_add family. */
function readRows(node: OpNode, g: Emitter): RowScatter {
  const data = atLeastOneDim(g, node.tensor("self"));
  const source = atLeastOneDim(g, node.tensor("source"));
  const axis = normalizeAxis(node.int("dim"), data.dims.length);
  return {
    data,
    size: data.dims[axis]!,
    index: node.tensor("index"),
    updates: g.cast(source, data.dtype),
    axis,
    dims: source.dims,
  };
}

/** A 1-d (or 0-d) index along `axis`, repeated to `dims`. */
function rowIndex(g: Emitter, index: Tensor, { axis, dims }: { axis: number; dims: readonly Dim[] }): Val {
  const shape = dims.map((_, i) => (i === axis ? product(index.dims) : 1));
  return g.expand(g.reshape(index, shape), dims);
}

/** aten::index_add(Tensor self, int dim, Tensor index, Tensor source, *, Scalar alpha=1) -> Tensor */
export const indexAdd: Lowering = (node, g) => {
  if (isNothing(node)) return node.tensor("self");
  const rows = readRows(node, g);
  const alpha = node.scalar("alpha");
  const { dtype } = rows.data;
  const updates =
    alpha.value === 1
      ? rows.updates
      : dtype === "bool"
        ? g.op("And", [rows.updates, g.as(alpha, "bool")])
        : g.op("Mul", [rows.updates, g.as(alpha, dtype)]);
  const emit = (given: Scatter): Val => scatterElements(g, { ...given, updates }, "add");
  return g.reshape(withRows(node, g, { given: rows, emit }), node.out().dims);
};

/** aten::index_copy(Tensor self, int dim, Tensor index, Tensor source) -> Tensor */
export const indexCopy: Lowering = (node, g) => {
  if (isNothing(node)) return node.tensor("self");
  const emit = (given: Scatter): Val => scatterElements(g, given, "none");
  return g.reshape(withRows(node, g, { given: readRows(node, g), emit }), node.out().dims);
};

/**
 * aten::index_fill.int_Scalar(Tensor self, int dim, Tensor index, Scalar value) -> Tensor
 * aten::index_fill.int_Tensor(Tensor self, int dim, Tensor index, Tensor value) -> Tensor
 */
export const indexFill: Lowering = (node, g) => {
  if (isNothing(node)) return node.tensor("self");
  const data = atLeastOneDim(g, node.tensor("self"));
  const axis = normalizeAxis(node.int("dim"), data.dims.length);
  const index = node.tensor("index");
  const dims = data.dims.map((dim, i) => (i === axis ? product(index.dims) : dim));
  const updates = g.expand(asFittingItem(g, node.operand("value"), data.dtype), dims);
  const emit = (given: Scatter): Val => scatterElements(g, given, "none");
  const given = { data, size: data.dims[axis]!, index, updates, axis, dims };
  return g.reshape(withRows(node, g, { given, wraps: true, emit }), node.out().dims);
};

/** aten::index_reduce(Tensor self, int dim, Tensor index, Tensor source, str reduce, *, bool include_self=True) -> Tensor */
export const indexReduce: Lowering = (node, g) => {
  if (isNothing(node)) return node.tensor("self");
  const how = { reduce: node.string("reduce"), includesSelf: node.bool("include_self") };
  const emit = (given: Scatter): Val => reduceInto(g, given, how);
  return g.reshape(withRows(node, g, { given: readRows(node, g), emit }), node.out().dims);
};

export const ROW_SCATTER: LoweringTable = {
  "aten.index_reduce.default": indexReduce,
  "aten.index_add.default": indexAdd,
  "aten.index_copy.default": indexCopy,
  "aten.index_fill.int_Scalar": indexFill,
  "aten.index_fill.int_Tensor": indexFill,
};

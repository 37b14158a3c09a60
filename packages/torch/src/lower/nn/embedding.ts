import { positions } from "../core/arange.ts";
import type { Coded } from "../core/coded.ts";
import type { Emitter } from "../core/emitter.ts";
import { codesOf } from "../core/find-codes.ts";
import { withIndex } from "../core/index-check.ts";
import type { Lowering, LoweringTable } from "../core/lowering.ts";
import type { Val } from "../core/tensor.ts";
import { unsupported } from "../core/unsupported.ts";
import { magnitude } from "../linalg/norms.ts";

/** aten::one_hot(Tensor self, int num_classes=-1) -> Tensor */
export const oneHot: Lowering = (node, g) => {
  const self = node.tensor("self");
  const classes = node.out().dims.at(-1)!;
  const all = positions(g, classes);
  // Looking a class up among the classes gives itself, or fails.
  const known = withIndex(node, g, {
    use: { index: self, size: classes },
    emit: (index) => g.op("Gather", [all, index], { axis: 0 }),
  });
  return g.cast(g.op("Equal", [g.unsqueeze(known, [-1]), all]), "int64");
};

/** aten::embedding(Tensor weight, Tensor indices, SymInt padding_idx=-1, bool scale_grad_by_freq=False, bool sparse=False) -> Tensor */
export const embedding: Lowering = (node, g) => {
  const weight = node.tensor("weight");
  const coded = codesOf(g, weight);
  return withIndex(node, g, {
    use: { index: node.tensor("indices"), size: weight.dims[0], table: "weight" },
    emit: (index) =>
      coded === undefined || coded.groupSize !== undefined || coded.axis === 1
        ? g.op("Gather", [weight, index], { axis: 0 })
        : gathered(g, coded, index),
  });
};

/**
 * aten::embedding_renorm(Tensor self, Tensor indices, float max_norm, float norm_type) -> Tensor
 *
 * The table with the rows that are looked up no longer than `max_norm`. Asked again, it stays as it is, so that what the program keeps of
 * it from call to call changes nothing; norms of an order below 1 would not.
 */
export const embeddingRenorm: Lowering = (node, g) => {
  const table = node.tensor("self");
  const order = node.float("norm_type");
  if (order <= 0) unsupported(`a norm of order ${order}, which shortens rows anew in every call`);
  const { dtype } = table;
  const rows = table.dims[0]!;
  const isMeant = withIndex(node, g, {
    use: { index: g.reshape(node.tensor("indices"), [-1]), size: rows, isUntold: true },
    emit: (index) => {
      const none = g.expand(g.scalar("int32", 0), [rows]);
      const ones = g.op("Expand", [g.scalar("int32", 1), g.op("Shape", [index])]);
      return g.op("ScatterElements", [none, index, ones], { axis: 0 });
    },
  });
  const length = magnitude(g, g.op("Abs", [table]), { ord: order, axes: [1], keepdims: 1 });
  const limit = g.scalar(dtype, node.float("max_norm"));
  const isLong = g.op("And", [g.unsqueeze(g.cast(isMeant, "bool"), [1]), g.op("Greater", [length, limit])]);
  const factor = g.op("Div", [limit, g.op("Add", [length, g.scalar(dtype, 1e-7)])]);
  return g.where(isLong, g.op("Mul", [table, factor]), table);
};

/** Rows of a table of codes, of which only they become floats. */
function gathered(g: Emitter, { codes, scale, zero, axis }: Coded, index: Val): Val {
  const rows = g.op("Gather", [codes, index], { axis: 0 });
  const ofRows = (numbers: Val): Val =>
    axis === undefined ? numbers : g.unsqueeze(g.op("Gather", [numbers, index], { axis: 0 }), [-1]);
  const floats = g.cast(rows, "float32");
  const moved = zero === undefined ? floats : g.op("Sub", [floats, g.cast(ofRows(zero), "float32")]);
  return g.op("Mul", [moved, ofRows(scale)]);
}

export const EMBEDDING: LoweringTable = {
  "aten.one_hot.default": oneHot,
  "aten.embedding.default": embedding,
  "aten.embedding_renorm.default": embeddingRenorm,
};

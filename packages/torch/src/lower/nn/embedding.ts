import { positions } from "../core/arange.ts";
import type { Coded } from "../core/coded.ts";
import type { Emitter } from "../core/emitter.ts";
import { codesOf } from "../core/find-codes.ts";
import { withIndex } from "../core/index-check.ts";
import type { Lowering, LoweringTable } from "../core/lowering.ts";
import type { Val } from "../core/tensor.ts";

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
};

import { positions } from "../core/arange.ts";
import { withIndex } from "../core/index-check.ts";
import type { Lowering, LoweringTable } from "../core/lowering.ts";

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
  return withIndex(node, g, {
    use: { index: node.tensor("indices"), size: weight.dims[0], table: "weight" },
    emit: (index) => g.op("Gather", [weight, index], { axis: 0 }),
  });
};

export const EMBEDDING: LoweringTable = {
  "aten.one_hot.default": oneHot,
  "aten.embedding.default": embedding,
};

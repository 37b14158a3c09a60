import { positions } from "../core/arange.ts";
import type { Lowering, LoweringTable } from "../core/lowering.ts";

/** aten::one_hot(Tensor self, int num_classes=-1) -> Tensor */
export const oneHot: Lowering = (node, g) => {
  const self = node.tensor("self");
  const classes = node.out().dims.at(-1)!;
  return g.cast(g.op("Equal", [g.unsqueeze(self, [-1]), positions(g, classes)]), "int64");
};

/** aten::embedding(Tensor weight, Tensor indices, SymInt padding_idx=-1, bool scale_grad_by_freq=False, bool sparse=False) -> Tensor */
export const embedding: Lowering = (node, g) =>
  g.op("Gather", [node.tensor("weight"), node.tensor("indices")], { axis: 0 });

export const EMBEDDING: LoweringTable = {
  "aten.one_hot.default": oneHot,
  "aten.embedding.default": embedding,
};

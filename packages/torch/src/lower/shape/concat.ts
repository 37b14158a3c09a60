import type { Dim } from "../../graph/sym.ts";
import type { Lowering, LoweringTable } from "../core/lowering.ts";
import { normalizeAxis, type Val } from "../core/tensor.ts";

/** aten::cat(Tensor[] tensors, int dim=0) -> Tensor. Empty 1-d tensors are skipped, as PyTorch has always done. */
export const cat: Lowering = (node, g) => {
  const { dtype, dims } = node.out();
  const tensors = node
    .tensors("tensors")
    .filter((tensor) => tensor.dims.length !== 1 || tensor.dims[0] !== 0 || dims.length === 1);
  const parts = tensors.map((tensor) => g.cast(tensor, dtype));
  if (parts.length === 1) return parts[0]!;
  return g.op("Concat", parts, { axis: normalizeAxis(node.int("dim"), dims.length) });
};

/** aten::stack(Tensor[] tensors, int dim=0) -> Tensor */
export const stack: Lowering = (node, g) => {
  const { dtype, dims } = node.out();
  const axis = normalizeAxis(node.int("dim"), dims.length);
  const parts = node.tensors("tensors").map((tensor) => g.unsqueeze(g.cast(tensor, dtype), [axis]));
  return parts.length === 1 ? parts[0]! : g.op("Concat", parts, { axis });
};

/** aten::repeat(Tensor self, SymInt[] repeats) -> Tensor */
export const repeat: Lowering = (node, g) => {
  const self = node.tensor("self");
  const repeats = node.sizes(node.has("repeats") ? "repeats" : "dims");
  const rank = Math.max(repeats.length, self.dims.length);
  const ones = (count: number): Dim[] => Array.from({ length: count }, () => 1);
  const padded: Val = g.reshape(self, [...ones(rank - self.dims.length), ...self.dims]);
  return g.op("Tile", [padded, g.shape([...ones(rank - repeats.length), ...repeats])]);
};

export const CONCAT: LoweringTable = {
  "aten.cat.default": cat,
  "aten.concat.default": cat,
  "aten.stack.default": stack,
  "aten.repeat.default": repeat,
  "aten.tile.default": repeat,
};

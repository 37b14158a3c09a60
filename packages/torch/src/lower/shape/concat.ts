import type { Lowering, LoweringTable } from "../core/lowering.ts";
import { normalizeAxis } from "../core/tensor.ts";

/**
 * aten::cat(Tensor[] tensors, int dim=0) -> Tensor
 * aten::concat(Tensor[] tensors, int dim=0) -> Tensor
 * aten::concatenate(Tensor[] tensors, int dim=0) -> Tensor
 *
 * Empty 1-d tensors are skipped, as PyTorch has always done.
 */
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

export const CONCAT: LoweringTable = {
  "aten.cat.default": cat,
  "aten.concat.default": cat,
  "aten.stack.default": stack,
  "aten.concatenate.default": cat,
};

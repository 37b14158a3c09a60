import type { Emitter } from "../core/emitter.ts";
import { all, type LoweringTable } from "../core/lowering.ts";
import type { OpNode } from "../core/op-node.ts";
import type { Val } from "../core/tensor.ts";

/**
 * aten::item(Tensor self) -> Scalar
 * aten::_local_scalar_dense(Tensor self) -> Scalar
 * The value becomes a symbol, which sizes and arithmetic may use from here on.
 */
function item(node: OpNode, g: Emitter): Val {
  return g.reshape(node.tensor("self"), []);
}

/** Tensors read as Python numbers. */
export const ITEM: LoweringTable = {
  ...all("item", item, ["default"]),
  ...all("_local_scalar_dense", item, ["default"]),
};

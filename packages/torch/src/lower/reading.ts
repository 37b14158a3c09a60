import type { Emitter } from "./emitter.ts";
import { all, type LoweringTable } from "./lowering.ts";
import type { OpNode } from "./op-node.ts";
import type { Val } from "./tensor.ts";

/**
 * aten::item(Tensor self) -> Scalar
 * aten::_local_scalar_dense(Tensor self) -> Scalar
 * The value becomes a symbol, which sizes and arithmetic may use from here on.
 */
function item(node: OpNode, g: Emitter): Val {
  return g.reshape(node.tensor("self"), []);
}

/** Tensors read as Python numbers. */
export const READING: LoweringTable = {
  ...all("item", item, ["default"]),
  ...all("_local_scalar_dense", item, ["default"]),
};

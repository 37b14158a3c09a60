import type { Lowering, LoweringTable } from "../core/lowering.ts";

/**
 * aten::logical_and(Tensor self, Tensor other) -> Tensor
 * aten::logical_or(Tensor self, Tensor other) -> Tensor
 * aten::logical_xor(Tensor self, Tensor other) -> Tensor
 */
function logical(type: string): Lowering {
  return (node, g) => g.op(type, [g.as(node.operand("self"), "bool"), g.as(node.operand("other"), "bool")]);
}

/** aten::logical_not(Tensor self) -> Tensor */
export const logicalNot: Lowering = (node, g) => g.op("Not", [g.cast(node.tensor("self"), "bool")]);

export const LOGICAL: LoweringTable = {
  "aten.logical_and.default": logical("And"),
  "aten.logical_or.default": logical("Or"),
  "aten.logical_xor.default": logical("Xor"),
  "aten.logical_not.default": logicalNot,
};

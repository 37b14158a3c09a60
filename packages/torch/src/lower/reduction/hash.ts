import type { Emitter } from "../core/emitter.ts";
import { fold } from "../core/fold.ts";
import type { Lowering, LoweringTable } from "../core/lowering.ts";
import { requireSome } from "../core/nothing.ts";
import { isFloat, type Tensor, type Val } from "../core/tensor.ts";
import { unsupported } from "../core/unsupported.ts";
import { floatBits, withoutNan } from "../pointwise/float-bits.ts";
import { howOf } from "./reduce.ts";

/**
 * aten::hash_tensor(Tensor self, int[1] dim=[], *, bool keepdim=False, int mode=0) -> Tensor
 *
 * The exclusive or of all bits, of floats as float64 and of integers as int64. PyTorch raises over nothing.
 */
export const hashTensor: Lowering = (node, g) => {
  if (node.int("mode") !== 0) unsupported("another mode than the exclusive or");
  const self = node.tensor("self");
  const how = howOf(node);
  const guard = requireSome(
    g,
    how.axes.map((axis) => self.dims[axis]!),
  );
  const bits = bitsOf(g, self);
  if (self.dims.length === 0) return bits;
  const held = guard === undefined ? bits : g.held(bits, guard);
  return fold(g, { ...self, ...held }, how, { type: "BitwiseXor", neutral: 0 });
};

function bitsOf(g: Emitter, self: Tensor): Val {
  if (!isFloat(self.declared)) return g.cast(g.cast(self, "int64"), "uint64");
  return floatBits(g, { ...self, ...withoutNan(g, self), declared: "float64" });
}

export const HASH: LoweringTable = {
  "aten.hash_tensor.default": hashTensor,
};

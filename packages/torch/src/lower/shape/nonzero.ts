import type { Emitter } from "../core/emitter.ts";
import { all, type Lowering, type LoweringTable } from "../core/lowering.ts";
import type { Tensor, Val } from "../core/tensor.ts";

/** Ops whose results have sizes that depend on values. The program names these sizes; ONNX measures them at run time. */

/** Positions of what is not zero, [count, rank]. A 0-d tensor has positions without coordinates. */
function positions(g: Emitter, self: Tensor): Val {
  const isSet = g.cast(self, "bool");
  if (self.dims.length > 0) return g.transpose(g.op("NonZero", [isSet]), [1, 0]);
  const found = g.transpose(g.op("NonZero", [g.reshape(isSet, [1])]), [1, 0]);
  return g.op("Slice", [found, g.ints([0]), g.ints([0]), g.ints([1])]);
}

/**
 * aten::nonzero(Tensor self) -> Tensor
 * aten::argwhere(Tensor self) -> Tensor
 */
export const nonzero: Lowering = (node, g) => positions(g, node.tensor("self"));

/**
 * aten::nonzero_numpy(Tensor self) -> Tensor[]
 * aten::where(Tensor condition) -> Tensor[]
 *
 * One tensor of coordinates for each dimension.
 */
export const nonzeroNumpy: Lowering = (node, g) => {
  const self = node.tensor(node.has("self") ? "self" : "condition");
  const isSet = g.cast(self, "bool");
  const found = g.op("NonZero", [self.dims.length === 0 ? g.reshape(isSet, [1]) : isSet]);
  return Array.from({ length: node.outputCount }, (_, i) =>
    node.isUsed(i) ? g.op("Gather", [found, g.scalar("int64", i)], { axis: 0 }) : undefined,
  );
};

/** aten::nonzero_static(Tensor self, *, SymInt size, int fill_value=-1) -> Tensor: cut or filled up to `size` rows */
export const nonzeroStatic: Lowering = (node, g) => {
  const self = node.tensor("self");
  const size = node.size("size");
  const filler = g.expand(g.scalar("int64", node.int("fill_value")), [size, self.dims.length]);
  const rows = g.op("Concat", [positions(g, self), filler], { axis: 0 });
  return g.op("Slice", [rows, g.ints([0]), g.shape([size]), g.ints([0])]);
};

export const NONZERO: LoweringTable = {
  ...all("nonzero", nonzero, ["default"]),
  "aten.argwhere.default": nonzero,
  "aten.nonzero_numpy.default": nonzeroNumpy,
  "aten.where.default": nonzeroNumpy,
  "aten.nonzero_static.default": nonzeroStatic,
};

import { type Dim, mul, product } from "../../graph/sym.ts";
import type { Emitter } from "../core/emitter.ts";
import type { Lowering, LoweringTable } from "../core/lowering.ts";
import type { OpNode } from "../core/op-node.ts";
import { requirement, withinRoom } from "../core/requirement.ts";
import { normalizeAxis, type Val } from "../core/tensor.ts";

/**
 * aten::repeat(Tensor self, SymInt[] repeats) -> Tensor
 * aten::tile(Tensor self, SymInt[] dims) -> Tensor
 */
export const repeat: Lowering = (node, g) => {
  const self = node.tensor("self");
  const repeats = node.sizes(node.has("repeats") ? "repeats" : "dims");
  const rank = Math.max(repeats.length, self.dims.length);
  const ones = (count: number): Dim[] => Array.from({ length: count }, () => 1);
  const padded: Val = g.reshape(self, [...ones(rank - self.dims.length), ...self.dims]);
  return g.op("Tile", [padded, g.shape([...ones(rank - repeats.length), ...repeats])]);
};

/** aten::repeat_interleave.self_int(Tensor self, SymInt repeats, int? dim=None, *, SymInt? output_size=None) -> Tensor */
export const repeatInterleave: Lowering = (node, g) => {
  const self = node.tensor("self");
  const repeats = node.size("repeats");
  const isFlat = !node.has("dim") || self.dims.length === 0;
  const dims = isFlat ? [product(self.dims)] : self.dims;
  const axis = isFlat ? 0 : normalizeAxis(node.int("dim"), dims.length);
  const spread = g.unsqueeze(isFlat ? g.reshape(self, dims) : self, [axis + 1]);
  const repeated = g.expand(spread, [...dims.slice(0, axis + 1), repeats, ...dims.slice(axis + 1)]);
  return g.reshape(
    repeated,
    dims.map((dim, i) => (i === axis ? mul(dim, repeats) : dim)),
  );
};

/** aten::repeat_interleave.self_Tensor(Tensor self, Tensor repeats, int? dim=None, *, SymInt? output_size=None) -> Tensor */
export const repeatInterleaveTensor: Lowering = (node, g) => {
  const self = node.tensor("self");
  const isFlat = !node.has("dim") || self.dims.length === 0;
  const dims = isFlat ? [product(self.dims)] : self.dims;
  const axis = isFlat ? 0 : normalizeAxis(node.int("dim"), dims.length);
  const data = isFlat ? g.reshape(self, dims) : self;
  const repeats = node.tensor("repeats");
  const each = g.expand(g.cast(repeats.dims.length === 0 ? g.reshape(repeats, [1]) : repeats, "int64"), [
    dims[axis]!,
  ]);
  return g.op("Gather", [data, repeatedIndices(node, g, { repeats: each, count: dims[axis]! })], { axis });
};

/** 0 repeats[0] times, 1 repeats[1] times, …: a position belongs to the first entry whose running total exceeds it, so it is how many ended. */
function repeatedIndices(node: OpNode, g: Emitter, { repeats, count }: { repeats: Val; count: Dim }): Val {
  if (count === 0) return g.ints([]);
  const zero = g.scalar("int64", 0);
  const isNegative = requirement(g, "numbers from 0 on", g.op("Less", [repeats, zero]));
  const sum = g.op("ReduceSum", [repeats, g.ints([0])], { keepdims: 0 });
  const total = withinRoom(g, g.op("Add", [sum, g.op("Add", [isNegative, promised(node, g, sum)])]));
  // Where each entry ends, one is added; there is a place behind all of them for those that end last.
  const places = g.unsqueeze(g.op("Add", [total, g.scalar("int64", 1)]), [0]);
  const marks = g.op(
    "ScatterElements",
    [
      g.op("Expand", [zero, places]),
      g.op("CumSum", [repeats, zero]),
      g.expand(g.scalar("int64", 1), [count]),
    ],
    { axis: 0, reduction: "add" },
  );
  const ended = g.op("CumSum", [marks, zero]);
  return g.op("Slice", [ended, g.ints([0]), g.ints([-1]), g.ints([0])]);
}

/** A 0-d int64 0, in a run that fails where the total is not the one that the program states. */
function promised(node: OpNode, g: Emitter, total: Val): Val {
  if (!node.has("output_size")) return g.scalar("int64", 0);
  const isKept = g.op("Equal", [total, g.number(node.size("output_size"), "int64")]);
  return requirement(g, "sizes that go together", g.op("Not", [isKept]));
}

/** aten::repeat_interleave.Tensor(Tensor repeats, *, SymInt? output_size=None) -> Tensor */
export const repeatInterleaveIndices: Lowering = (node, g) => {
  const repeats = node.tensor("repeats");
  return repeatedIndices(node, g, { repeats: g.cast(repeats, "int64"), count: repeats.dims[0]! });
};

export const REPEAT: LoweringTable = {
  "aten.repeat.default": repeat,
  "aten.tile.default": repeat,
  "aten.repeat_interleave.self_int": repeatInterleave,
  "aten.repeat_interleave.self_Tensor": repeatInterleaveTensor,
  "aten.repeat_interleave.Tensor": repeatInterleaveIndices,
};

import type { Emitter } from "../core/emitter.ts";
import type { Lowering, LoweringTable } from "../core/lowering.ts";
import { requirement } from "../core/requirement.ts";
import type { Val } from "../core/tensor.ts";
import { reduce } from "../reduction/reduce.ts";

/**
 * Sequences of several lengths, one after another: the first steps of all, then the second steps of those that have one, and so on. How many
 * have a step falls, so the longest sequences come first.
 */

interface Places {
  /** Where each packed row belongs in [length, batch], [rows, 2]. */
  readonly positions: Val;
  /** [batch] int64. */
  readonly lengths: Val;
}

const count = (g: Emitter, isThere: Val, axis: number): Val =>
  reduce(g, "ReduceSum", g.cast(isThere, "int64"), { axes: [axis], keepdims: 0 });

const positionsOf = (g: Emitter, isThere: Val): Val => g.transpose(g.op("NonZero", [isThere]), [1, 0]);

const upTo = (g: Emitter, end: Val): Val => g.op("Range", [g.scalar("int64", 0), end, g.scalar("int64", 1)]);

const first = (g: Emitter, list: Val): Val => g.op("Gather", [list, g.scalar("int64", 0)], { axis: 0 });

/** Where the rows of packed sequences belong; `batchSizes` says how many have each step, `batch` how many there are. */
export function packedPlaces(g: Emitter, batchSizes: Val, batch: Val): Places {
  const isThere = g.op("Less", [g.unsqueeze(upTo(g, batch), [0]), g.unsqueeze(batchSizes, [1])]);
  return { positions: positionsOf(g, isThere), lengths: count(g, isThere, 0) };
}

/** aten::_pack_padded_sequence(Tensor input, Tensor lengths, bool batch_first) -> (Tensor, Tensor) */
export const packPadded: Lowering = (node, g) => {
  const input = node.tensor("input");
  const [steps, batch] = node.bool("batch_first") ? [1, 0] : [0, 1];
  const given = g.reshape(node.tensor("lengths"), [input.dims[batch]!]);
  const next = g.op("Slice", [given, g.ints([1]), g.ints([Number.MAX_SAFE_INTEGER]), g.ints([0])]);
  const previous = g.op("Slice", [given, g.ints([0]), g.ints([-1]), g.ints([0])]);
  const faults = [
    g.op("Less", [given, g.scalar("int64", 1)]),
    g.op("Greater", [given, g.number(input.dims[steps]!, "int64")]),
    g.op("Less", [previous, next]),
  ];
  const lengths = g.op("Add", [
    given,
    requirement(g, "lengths that fall", g.op("Concat", faults, { axis: 0 })),
  ]);
  const isThere = g.op("Less", [g.unsqueeze(upTo(g, first(g, lengths)), [1]), g.unsqueeze(lengths, [0])]);
  const rest = input.dims.slice(2).map((_, axis) => axis + 2);
  const byStep = steps === 0 ? input : g.transpose(input, [1, 0, ...rest]);
  return [g.op("GatherND", [byStep, positionsOf(g, isThere)]), count(g, isThere, 1)];
};

/** aten::_pad_packed_sequence(Tensor data, Tensor batch_sizes, bool batch_first, Scalar padding_value, SymInt total_length) -> (Tensor, Tensor) */
export const padPacked: Lowering = (node, g) => {
  const [data, batchSizes] = [node.tensor("data"), node.tensor("batch_sizes")];
  const { dtype, dims } = node.out();
  const length = dims[node.bool("batch_first") ? 1 : 0]!;
  const batch = first(g, batchSizes);
  const { positions, lengths } = packedPlaces(g, batchSizes, batch);
  const isShort = g.op("Less", [g.number(length, "int64"), g.number(batchSizes.dims[0]!, "int64")]);
  const held = g.op("Add", [batch, requirement(g, "room for its sequences", isShort)]);
  const shape = g.op("Concat", [g.shape([length]), g.unsqueeze(held, [0]), g.shape(data.dims.slice(1))], {
    axis: 0,
  });
  const padding = g.op("Expand", [g.as(node.operand("padding_value"), dtype), shape]);
  const padded = g.op("ScatterND", [padding, positions, g.cast(data, dtype)]);
  const rest = data.dims.slice(1).map((_, axis) => axis + 2);
  return [node.bool("batch_first") ? g.transpose(padded, [1, 0, ...rest]) : padded, lengths];
};

export const PACKED_SEQUENCES: LoweringTable = {
  "aten._pack_padded_sequence.default": packPadded,
  "aten._pad_packed_sequence.default": padPacked,
};

import { add, type Dim, sameDims, sub } from "../../graph/sym.ts";
import { bisect } from "../comparison/searching.ts";
import { positions } from "../core/arange.ts";
import type { Emitter } from "../core/emitter.ts";
import type { Lowering, LoweringTable } from "../core/lowering.ts";
import { requireSome } from "../core/nothing.ts";
import type { OpNode } from "../core/op-node.ts";
import { requirement } from "../core/requirement.ts";
import { normalizeAxis, type Tensor, type Val } from "../core/tensor.ts";
import { unsupported } from "../core/unsupported.ts";
import { reduceInto } from "../shape/element-scatter.ts";

/** Where segments begin and end along the last of their dimensions. */
interface Segments {
  readonly starts: Val;
  readonly ends: Val;
  readonly count: Dim;
}

/** How each reduction joins, and what it begins with where the program does not say. */
const REDUCTIONS: Readonly<Record<string, { readonly reduce: string; readonly neutral: number }>> = {
  sum: { reduce: "sum", neutral: 0 },
  mean: { reduce: "sum", neutral: 0 },
  prod: { reduce: "prod", neutral: 1 },
  max: { reduce: "amax", neutral: Number.NEGATIVE_INFINITY },
  min: { reduce: "amin", neutral: Number.POSITIVE_INFINITY },
};

/**
 * aten::segment_reduce(Tensor data, str reduce, *, Tensor? lengths=None, Tensor? indices=None, Tensor? offsets=None, int axis=0, bool
 * unsafe=False, Scalar? initial=None) -> Tensor
 *
 * Each segment begins with `initial`; the mean of an empty one is that, or NaN.
 */
export const segmentReduce: Lowering = (node, g) => {
  const data = node.tensor("data");
  const axis = normalizeAxis(node.int("axis"), data.dims.length);
  const kind = node.string("reduce");
  const { reduce, neutral } = REDUCTIONS[kind] ?? unsupported(`the reduction ${kind}`);
  const initial = node.has("initial") ? g.as(node.scalar("initial"), data.dtype) : undefined;
  const segments = segmentsOf(node, g, { data, axis });
  const { count } = segments;
  // What belongs to no segment goes into one more, which is dropped.
  const dims = data.dims.map((dim, i) => (i === axis ? add(count, 1) : dim));
  const index = g.expand(
    g.unsqueeze(segmentIds(g, { data, axis }, segments), trailing(data, axis)),
    data.dims,
  );
  const start = g.expand(initial ?? g.scalar(data.dtype, neutral), dims);
  const scatter = { data: start, size: add(count, 1), index, updates: data, axis };
  const all = reduceInto(g, scatter, { reduce, includesSelf: true });
  const made = g.op("Slice", [all, g.ints([0]), g.shape([count]), g.ints([axis])]);
  if (kind !== "mean") return made;
  const lengths = g.unsqueeze(g.op("Sub", [segments.ends, segments.starts]), trailing(data, axis));
  const isEmpty = g.op("Equal", [lengths, g.scalar("int64", 0)]);
  const ofNone = initial ?? g.scalar(data.dtype, Number.NaN);
  return g.where(isEmpty, ofNone, g.op("Div", [made, g.cast(lengths, data.dtype)]));
};

interface Divided {
  readonly data: Tensor;
  readonly axis: number;
}

function trailing({ dims }: Tensor, axis: number): number[] {
  return dims.slice(axis + 1).map((_, i) => axis + 1 + i);
}

/** Reads `lengths` or `offsets`, in a run that fails where PyTorch raises or reads what is not there. */
function segmentsOf(node: OpNode, g: Emitter, { data, axis }: Divided): Segments {
  const size = g.number(data.dims[axis]!, "int64");
  const lengths = node.optionalTensor("lengths");
  const given = lengths ?? node.tensor("offsets");
  const { starts, ends, count } =
    lengths === undefined
      ? byOffsets(node, g, size)
      : byLengths(g, { lengths, size, isSafe: !node.bool("unsafe") });
  const rows = ofRows(g, { data, axis }, given);
  return { starts: rows(starts), ends: rows(ends), count };
}

/** Data may have fewer rows than lengths are given for: the first ones count. */
function ofRows(g: Emitter, { data, axis }: Divided, given: Tensor): (x: Val) => Val {
  if (axis === 0 || sameDims(data.dims.slice(0, axis), given.dims.slice(0, axis))) return (x) => x;
  const [wanted, there] = [data, given].map(({ dims }) => g.shape(dims.slice(0, axis)));
  const isOther = g.op("Not", [g.op("Equal", [wanted!, there!])]);
  const isMore = g.op("Greater", [wanted!, there!]);
  const isFirst = g.op("Equal", [positions(g, axis), g.scalar("int64", 0)]);
  const guard = requirement(g, "sizes that go together", g.where(isFirst, isMore, isOther));
  const end = g.op("Add", [g.shape([data.dims[0]!]), guard]);
  return (x) => g.op("Slice", [x, g.ints([0]), end, g.ints([0])]);
}

function byOffsets(node: OpNode, g: Emitter, size: Val): Segments {
  const given = node.tensor("offsets");
  const offsets = g.cast(given, "int64");
  const last = given.dims.length - 1;
  const count = sub(given.dims[last]!, 1);
  const cut = (from: number, to: Val): Val => g.op("Slice", [offsets, g.ints([from]), to, g.ints([last])]);
  const [starts, ends] = [cut(0, g.shape([count])), cut(1, g.ints([Number.MAX_SAFE_INTEGER]))];
  const isOutside = g.op("Or", [
    g.op("Less", [offsets, g.scalar("int64", 0)]),
    g.op("Greater", [offsets, size]),
  ]);
  const falls = g.op("Less", [ends, starts]);
  const isFault = g.op("Or", [anyOf(g, isOutside), anyOf(g, falls)]);
  const guard = requirement(g, "offsets that rise", isFault);
  return { starts, ends: g.op("Add", [ends, guard]), count };
}

interface Lengths {
  readonly lengths: Tensor;
  readonly size: Val;
  /** Every row of lengths has to add up to the size. */
  readonly isSafe: boolean;
}

function byLengths(g: Emitter, { lengths, size, isSafe }: Lengths): Segments {
  const last = lengths.dims.length - 1;
  const wide = g.cast(lengths, "int64");
  const ends = g.op("CumSum", [wide, g.scalar("int64", last)]);
  const total = g.op("ReduceSum", [g.cast(wide, "float64"), g.ints([last])], { keepdims: 0 });
  const isOff = g.op(isSafe ? "Equal" : "LessOrEqual", [total, g.cast(size, "float64")]);
  const isNegative = anyOf(g, g.op("Less", [wide, g.scalar("int64", 0)]));
  const isFault = g.op("Or", [isNegative, anyOf(g, g.op("Not", [isOff]))]);
  const guard = requirement(g, "lengths that add up", isFault);
  const some = isSafe ? requireSome(g, lengths.dims) : undefined;
  const held = g.op("Add", [ends, some === undefined ? guard : g.op("Add", [guard, some])]);
  return { starts: g.op("Sub", [held, wide]), ends: held, count: lengths.dims[last]! };
}

/** Whether one of many is true; none of nothing is. */
function anyOf(g: Emitter, faults: Val): Val {
  const flat = g.reshape(g.cast(faults, "int32"), [-1]);
  const some = g.op("Concat", [flat, g.constant("int32", [0], [1])], { axis: 0 });
  return g.cast(g.op("ReduceMax", [some, g.ints([0])], { keepdims: 0 }), "bool");
}

/** The segment of each position along the axis; the number of segments where it has none. */
function segmentIds(g: Emitter, { data, axis }: Divided, { starts, ends, count }: Segments): Val {
  const dims = data.dims.slice(0, axis + 1);
  const place = g.expand(positions(g, data.dims[axis]!), dims);
  const found = bisect(g, {
    row: ends,
    value: place,
    isRight: true,
    size: count,
    isShared: axis === 0,
    dims,
  });
  const first = g.op("Slice", [starts, g.ints([0]), g.ints([1]), g.ints([axis])]);
  // Without a segment there is no first one.
  const from = g.op("ReduceMax", [
    g.op("Concat", [first, g.expand(g.scalar("int64", 0), [...dims.slice(0, -1), 1])], { axis }),
    g.ints([axis]),
  ]);
  return g.where(g.op("Less", [place, from]), g.number(count, "int64"), found);
}

export const SEGMENTS: LoweringTable = {
  "aten.segment_reduce.default": segmentReduce,
};

import { add, type Dim } from "../../graph/sym.ts";
import type { Emitter } from "../core/emitter.ts";
import type { Val } from "../core/tensor.ts";

/** One axis of regions: where each begins and how long it is ([regions], in pixels), and into how many bins it is cut. */
export interface RegionAxis {
  readonly start: Val;
  readonly extent: Val;
  readonly bins: number;
  /** Pixels along this axis. */
  readonly length: Dim;
}

/** The points that the bins of all regions are sampled at along one axis, each between two pixels: [regions, bins, count, 2]. */
export interface AxisSamples {
  readonly pixels: Val;
  /** Both are 0 for a point more than a pixel outside, and for one that the region does not have. */
  readonly shares: Val;
  /** Most points that a bin has: an int64 scalar. */
  readonly count: Val;
  /** Points that a bin of each region has, as a float: [regions, 1, 1], or a scalar. May be 0 or less for a region that ends before it begins. */
  readonly points: Val;
}

/**
 * Samples as torchvision's kernels place them, in the same order of operations: outside is a matter of the last bit. `ratio`: points of a
 * bin along the axis; 0 or less: as many as a bin has pixels, rounded up, which differs from region to region.
 */
export function samplesAlong(g: Emitter, axis: RegionAxis, ratio: number): AxisSamples {
  const { bins, length } = axis;
  const { dtype } = axis.start;
  const number = (value: number): Val => g.scalar(dtype, value);
  const [start, extent] = [g.unsqueeze(axis.start, [1, 2]), g.unsqueeze(axis.extent, [1, 2])];
  const size = g.op("Div", [extent, number(bins)]);
  const points = ratio > 0 ? number(ratio) : g.op("Ceil", [size]);
  const count = ratio > 0 ? g.scalar("int64", ratio) : largest(g, points);
  const range = g.op("Range", [g.scalar("int64", 0), count, g.scalar("int64", 1)]);
  const nth = g.cast(range, dtype);
  const inBin = g.op("Div", [g.op("Mul", [g.op("Add", [nth, number(0.5)]), size]), points]);
  const bin = g.constant(dtype, [...Array(bins).keys()], [bins, 1]);
  const at = g.op("Add", [g.op("Add", [start, g.op("Mul", [bin, size])]), inBin]);
  const isNear = g.op("And", [
    g.op("GreaterOrEqual", [at, number(-1)]),
    g.op("LessOrEqual", [at, g.number(length, dtype)]),
  ]);
  const isThere = ratio > 0 ? isNear : g.op("And", [isNear, g.op("Less", [nth, points])]);
  const last = g.number(add(length, -1), dtype);
  const inside = g.op("Min", [g.op("Max", [g.where(isThere, at, number(0)), number(0)]), last]);
  const low = g.op("Floor", [inside]);
  const share = g.op("Sub", [inside, low]);
  const mask = g.cast(isThere, dtype);
  const pair = (first: Val, second: Val): Val =>
    g.op("Concat", [g.unsqueeze(first, [3]), g.unsqueeze(second, [3])], { axis: 3 });
  const high = g.op("Min", [g.op("Add", [low, number(1)]), last]);
  const rest = g.op("Sub", [number(1), share]);
  return {
    pixels: g.cast(pair(low, high), "int64"),
    shares: pair(g.op("Mul", [mask, rest]), g.op("Mul", [mask, share])),
    count,
    points,
  };
}

/** The largest of some numbers as an int64 scalar; 0 when there is none above. */
export function largest(g: Emitter, numbers: Val): Val {
  const flat = g.op("Reshape", [numbers, g.ints([-1])]);
  const all = g.op("Concat", [flat, g.constant(numbers.dtype, [0], [1])], { axis: 0 });
  return g.cast(g.op("ReduceMax", [all], { keepdims: 0 }), "int64");
}

import type { Dim } from "../../graph/sym.ts";
import { countedLoop } from "../core/counted-loop.ts";
import type { Emitter } from "../core/emitter.ts";
import type { Lowering, LoweringTable } from "../core/lowering.ts";
import type { OpNode } from "../core/op-node.ts";
import type { Val } from "../core/tensor.ts";
import { unsupported } from "../core/unsupported.ts";
import { type Pixels, pixelsByBin, pixelsOf, type Regions, regionsOf } from "./roi-regions.ts";
import { type AxisSamples, largest, type RegionAxis, samplesAlong } from "./roi-samples.ts";

/**
 * Ops of torchvision on regions of pictures. ONNX Runtime's own kernels do not reach the opset that programs are translated to, so pixels
 * are gathered here: one turn of a loop takes one point of every bin of every region, with all channels of a pixel side by side.
 */

/**
 * torchvision::roi_align(Tensor input, Tensor rois, float spatial_scale, SymInt pooled_height, SymInt pooled_width, int sampling_ratio, bool
 * aligned) -> Tensor
 */
export const roiAlign: Lowering = (node, g) => {
  const regions = regionsOf(node, g);
  const pixels = pixelsOf(regions, g);
  const rules = node.bool("aligned") ? { offset: 0.5 } : { offset: 0, minExtent: 1 };
  return sampledMean(node, g, { regions, pixels, ...rules, minPoints: 1 });
};

/**
 * torchvision::ps_roi_align(Tensor input, Tensor rois, float spatial_scale, SymInt pooled_height, SymInt pooled_width, int sampling_ratio)
 * -> (Tensor, Tensor channel_mapping)
 */
export const positionSensitiveRoiAlign: Lowering = (node, g) => {
  if (node.isUsed(1)) return unsupported("its channel mapping is for training");
  const regions = regionsOf(node, g);
  return [sampledMean(node, g, { regions, pixels: pixelsByBin(regions, g), offset: 0.5 }), undefined];
};

/** torchvision::roi_pool(Tensor input, Tensor rois, float spatial_scale, SymInt pooled_height, SymInt pooled_width) -> (Tensor, Tensor argmax) */
export const roiPool: Lowering = (node, g) => {
  if (node.isUsed(1)) return unsupported("its positions of the maxima are for training");
  const regions = regionsOf(node, g);
  const pixels = pixelsOf(regions, g);
  const rows = pixelRange(g, {
    from: regions.edge(2),
    to: regions.edge(4),
    bins: regions.rows,
    length: regions.height,
  });
  const columns = pixelRange(g, {
    from: regions.edge(1),
    to: regions.edge(3),
    bins: regions.columns,
    length: regions.width,
  });
  return [g.transpose(largestPixel(g, { regions, pixels, rows, columns }), [0, 3, 1, 2]), undefined];
};

/** The mean of the points of every bin: [regions, channels, rows, columns]. `minPoints`: what to divide by at least. */
function sampledMean(node: OpNode, g: Emitter, { regions, pixels, ...rules }: SampledMean): Val {
  const ratio = node.int("sampling_ratio");
  const half = g.scalar(regions.rois.dtype, rules.offset);
  const along = (bins: number, length: Dim, [from, to]: readonly [number, number]): RegionAxis => {
    const [start, end] = [from, to].map((index) => g.op("Sub", [regions.edge(index), half]));
    const extent = g.op("Sub", [end!, start!]);
    const least = rules.minExtent;
    return {
      start: start!,
      extent: least === undefined ? extent : g.op("Max", [extent, g.scalar(extent.dtype, least)]),
      bins,
      length,
    };
  };
  const rows = samplesAlong(g, along(regions.rows, regions.height, [2, 4]), ratio);
  const columns = samplesAlong(g, along(regions.columns, regions.width, [1, 3]), ratio);
  const sum = sumOfPoints(g, { regions, pixels, rows, columns });
  const points = g.op("Mul", [rows.points, columns.points]);
  const divisor =
    rules.minPoints === undefined ? points : g.op("Max", [points, g.scalar(points.dtype, rules.minPoints)]);
  const mean = g.op("Div", [sum, ratio > 0 ? divisor : g.unsqueeze(divisor, [3])]);
  return g.transpose(mean, [0, 3, 1, 2]);
}

interface SampledMean {
  readonly regions: Regions;
  readonly pixels: Pixels;
  /** What is taken off every edge: half a pixel where pixels are squares and not points. */
  readonly offset: number;
  /** Regions that are shorter count as this long. */
  readonly minExtent?: number;
  readonly minPoints?: number;
}

interface Points extends Pick<SampledMean, "regions" | "pixels"> {
  readonly rows: AxisSamples;
  readonly columns: AxisSamples;
}

function sumOfPoints(g: Emitter, { regions, pixels, rows, columns }: Points): Val {
  const width = g.number(regions.width, "int64");
  const initial = g.expand(g.scalar(regions.input.dtype, 0), binDims(regions, pixels));
  const count = g.op("Mul", [rows.count, columns.count]);
  const first = g.unsqueeze(pixels.first, [3, 4]);
  return countedLoop(g, { count, initial }, (inner, turn, soFar) => {
    const [i, j] = [inner.op("Div", [turn, columns.count]), inner.op("Mod", [turn, columns.count])];
    // [regions, rows, 1, 2, 1] and [regions, 1, columns, 1, 2]: the four pixels around a point.
    const row = (values: Val): Val => inner.unsqueeze(inner.op("Gather", [values, i], { axis: 2 }), [2, 4]);
    const column = (values: Val): Val =>
      inner.unsqueeze(inner.op("Gather", [values, j], { axis: 2 }), [1, 3]);
    const inPlane = inner.op("Add", [inner.op("Mul", [row(rows.pixels), width]), column(columns.pixels)]);
    const around = inner.op("Gather", [pixels.matrix, inner.op("Add", [first, inPlane])], { axis: 0 });
    const shares = inner.op("Mul", [row(rows.shares), column(columns.shares)]);
    const point = inner.op("MatMul", [
      inner.op("Reshape", [shares, inner.ints([0, 0, 0, 1, 4])]),
      inner.op("Reshape", [around, inner.ints([0, 0, 0, 4, pixels.channels])]),
    ]);
    return inner.op("Add", [soFar, inner.squeeze(point, [3])]);
  });
}

function binDims({ rois, rows, columns }: Regions, { channels }: Pixels): Dim[] {
  return [rois.dims[0]!, rows, columns, channels];
}

/** The pixels of every bin along one axis: from `first` up to before `end`, both [regions, bins], and the most that a bin has. */
interface PixelRange {
  readonly first: Val;
  readonly end: Val;
  readonly count: Val;
  readonly last: Val;
}

interface Edges {
  readonly from: Val;
  readonly to: Val;
  readonly bins: number;
  readonly length: Dim;
}

function pixelRange(g: Emitter, { from, to, bins, length }: Edges): PixelRange {
  const { dtype } = from;
  const [zero, one] = [g.scalar("int64", 0), g.scalar("int64", 1)];
  const [start, end] = [from, to].map((edge) => g.unsqueeze(rounded(g, edge), [1]));
  const extent = g.op("Max", [g.op("Add", [g.op("Sub", [end!, start!]), one]), one]);
  const size = g.op("Div", [g.cast(extent, dtype), g.scalar(dtype, bins)]);
  const edge = (kind: "Floor" | "Ceil", shift: number): Val => {
    const nth = g.constant(
      dtype,
      Array.from({ length: bins }, (_, i) => i + shift),
      [bins],
    );
    const at = g.op("Add", [g.cast(g.op(kind, [g.op("Mul", [nth, size])]), "int64"), start!]);
    return g.op("Min", [g.op("Max", [at, zero]), g.number(length, "int64")]);
  };
  const [first, last] = [edge("Floor", 0), edge("Ceil", 1)];
  const count = largest(g, g.op("Sub", [last, first]));
  return { first, end: last, count, last: g.op("Sub", [g.number(length, "int64"), one]) };
}

/** The nearest integer, halves away from zero: ONNX's Round takes the even one. */
function rounded(g: Emitter, value: Val): Val {
  const size = g.op("Abs", [value]);
  const whole = g.op("Floor", [size]);
  const isUp = g.op("GreaterOrEqual", [g.op("Sub", [size, whole]), g.scalar(value.dtype, 0.5)]);
  const nearest = g.op("Add", [whole, g.cast(isUp, value.dtype)]);
  return g.cast(g.op("Mul", [nearest, g.op("Sign", [value])]), "int64");
}

interface Ranges extends Pick<SampledMean, "regions" | "pixels"> {
  readonly rows: PixelRange;
  readonly columns: PixelRange;
}

/** What torchvision's search for the largest pixel of a bin begins with, in every precision. */
const LEAST = -3.4028234663852886e38;

/** The largest pixel of every bin, 0 for a bin without pixels. A NaN is larger than nothing. */
function largestPixel(g: Emitter, { regions, pixels, rows, columns }: Ranges): Val {
  const { dtype } = regions.input;
  const width = g.number(regions.width, "int64");
  const isEmpty = g.op("Or", [
    g.unsqueeze(g.op("LessOrEqual", [rows.end, rows.first]), [2, 3]),
    g.unsqueeze(g.op("LessOrEqual", [columns.end, columns.first]), [1, 3]),
  ]);
  const begin = g.where(isEmpty, g.scalar(dtype, 0), g.scalar(dtype, LEAST));
  const initial = g.expand(begin, binDims(regions, pixels));
  const count = g.op("Mul", [rows.count, columns.count]);
  return countedLoop(g, { count, initial }, (inner, turn, soFar) => {
    const nth = (op: string, { first, end, last }: PixelRange, axis: number): { at: Val; isThere: Val } => {
      const at = inner.op("Add", [first, inner.op(op, [turn, columns.count])]);
      const isThere = inner.op("Less", [at, end]);
      return {
        at: inner.unsqueeze(inner.op("Min", [at, last]), [axis]),
        isThere: inner.unsqueeze(isThere, [axis]),
      };
    };
    const [row, column] = [nth("Div", rows, 2), nth("Mod", columns, 1)];
    const at = inner.op("Add", [inner.op("Mul", [row.at, width]), column.at]);
    const pixel = inner.op("Gather", [pixels.matrix, inner.op("Add", [pixels.first, at])], { axis: 0 });
    const isThere = inner.unsqueeze(inner.op("And", [row.isThere, column.isThere]), [3]);
    const isLarger = inner.op("And", [isThere, inner.op("Greater", [pixel, soFar])]);
    return inner.where(isLarger, pixel, soFar);
  });
}

export const ROI_POOLING: LoweringTable = {
  "torchvision.ps_roi_align.default": positionSensitiveRoiAlign,
  "torchvision.roi_align.default": roiAlign,
  "torchvision.roi_pool.default": roiPool,
};

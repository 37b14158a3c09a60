import type { Dim } from "../../graph/sym.ts";
import type { Emitter } from "../core/emitter.ts";
import type { OpNode } from "../core/op-node.ts";
import type { Tensor, Val } from "../core/tensor.ts";
import { unsupported } from "../core/unsupported.ts";

/** Boxes in pictures of a batch, and the grid of bins that each is cut into. */
export interface Regions {
  readonly input: Tensor;
  readonly rois: Tensor;
  readonly height: Dim;
  readonly width: Dim;
  readonly channels: number;
  readonly rows: number;
  readonly columns: number;
  /** The image of each region, [regions, 1, 1]. */
  readonly image: Val;
  /** Column `index` of the regions (1: left, 2: top, 3: right, 4: bottom) in pixels. */
  edge(index: number): Val;
}

/** The arguments that all ops on regions have. Refuses half precision, where PyTorch places points on a coarser grid. */
export function regionsOf(node: OpNode, g: Emitter): Regions {
  const [input, rois] = [node.tensor("input"), node.tensor("rois")];
  if (input.declared !== input.dtype || rois.declared !== rois.dtype)
    return unsupported("half precision places its points on a coarser grid; convert to float32 first");
  const [, channels, height, width] = input.dims;
  if (typeof channels !== "number" || height === undefined || width === undefined)
    return unsupported("the number of channels is not constant");
  const column = (index: number): Val => g.op("Gather", [rois, g.scalar("int64", index)], { axis: 1 });
  const scale = g.scalar(rois.dtype, node.float("spatial_scale"));
  return {
    input,
    rois,
    height,
    width,
    channels,
    rows: node.int("pooled_height"),
    columns: node.int("pooled_width"),
    image: g.unsqueeze(g.cast(column(0), "int64"), [1, 2]),
    edge: (index) => g.op("Mul", [column(index), scale]),
  };
}

/** Pixels as rows of a matrix with their channels as columns, and the row of the first pixel of every bin's plane. */
export interface Pixels {
  readonly matrix: Val;
  readonly channels: number;
  readonly first: Val;
}

export function pixelsOf({ input, channels, height, width, image }: Regions, g: Emitter): Pixels {
  const matrix = g.op("Reshape", [g.transpose(input, [0, 2, 3, 1]), g.ints([-1, channels])]);
  return { matrix, channels, first: g.op("Mul", [image, planeSize(g, height, width)]) };
}

/** The same where every bin has channels of its own: [images, channels of a bin, rows, columns, height, width]. */
export function pixelsByBin({ input, channels, height, width, image, ...bins }: Regions, g: Emitter): Pixels {
  const { rows, columns } = bins;
  const perBin = channels / (rows * columns);
  if (!Number.isInteger(perBin)) return unsupported("the channels are not multiple of the bins");
  const apart = g.reshape(input, [input.dims[0]!, perBin, rows, columns, height, width]);
  const matrix = g.op("Reshape", [g.transpose(apart, [0, 2, 3, 4, 5, 1]), g.ints([-1, perBin])]);
  const count = rows * columns;
  const bin = g.constant("int64", [...Array(count).keys()], [rows, columns]);
  const plane = g.op("Add", [g.op("Mul", [image, g.scalar("int64", count)]), bin]);
  return { matrix, channels: perBin, first: g.op("Mul", [plane, planeSize(g, height, width)]) };
}

function planeSize(g: Emitter, height: Dim, width: Dim): Val {
  return g.op("Mul", [g.number(height, "int64"), g.number(width, "int64")]);
}

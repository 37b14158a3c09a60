import { add, type Dim, mul, sub, sym } from "../../graph/sym.ts";
import type { Attributes } from "../../onnx/model.ts";
import type { Emitter } from "../core/emitter.ts";
import type { Lowering, LoweringTable } from "../core/lowering.ts";
import type { OpNode } from "../core/op-node.ts";
import { padded } from "../core/padded.ts";
import { isFloat, type Tensor, type Val } from "../core/tensor.ts";
import { reduceMean } from "../reduction/reduce.ts";
import { type Bins, bins } from "./adaptive-bins.ts";
import { batched, spread } from "./convolution.ts";
import { gatherBins, slidingBins } from "./window-bins.ts";

export interface Window extends Attributes {
  readonly kernel_shape: readonly number[];
  readonly strides: readonly number[];
  readonly pads: readonly number[];
  readonly ceil_mode: number;
}

/** The attributes that all pooling ops of ONNX share. */
export function window(node: OpNode, spatial: number): Window {
  const kernel = spread(node.ints("kernel_size"), spatial);
  const stride = node.has("stride") ? node.ints("stride") : [];
  const padding = spread(node.ints("padding"), spatial);
  return {
    kernel_shape: kernel,
    strides: stride.length === 0 ? kernel : spread(stride, spatial),
    pads: [...padding, ...padding],
    ceil_mode: Number(node.bool("ceil_mode")),
  };
}

/**
 * aten::avg_pool2d(Tensor self, int[2] kernel_size, int[2] stride=[], int[2] padding=0, bool ceil_mode=False, bool count_include_pad=True, int? divisor_override=None) -> Tensor
 * aten::avg_pool1d(Tensor self, int[1] kernel_size, int[1] stride=[], int[1] padding=[0], bool ceil_mode=False, bool count_include_pad=True) -> Tensor
 * aten::avg_pool3d(Tensor self, int[3] kernel_size, int[3] stride=[], int[3] padding=0, bool ceil_mode=False, bool count_include_pad=True, int? divisor_override=None) -> Tensor
 */
function avgPool(spatial: number): Lowering {
  return (node, g) => {
    const divisor = node.has("divisor_override") ? node.int("divisor_override") : undefined;
    const shape = window(node, spatial);
    const self = node.tensor("self");
    if (!isFloat(self.dtype)) return averageOfIntegers(node, g, { self, shape, divisor });
    if (divisor !== undefined) return dividedSum(node, g, { self, shape, divisor });
    const attributes = { ...shape, count_include_pad: Number(node.bool("count_include_pad")) };
    return batched(g, self, spatial, (x) => g.op("AveragePool", [x], attributes));
  };
}

interface IntegerAverage {
  readonly self: Tensor;
  readonly shape: Window;
  readonly divisor: number | undefined;
}

/** The sum of each window over its number of elements, without what lies behind the point, as C++ divides. */
function averageOfIntegers(node: OpNode, g: Emitter, { self, shape, divisor }: IntegerAverage): Val {
  const { kernel_shape: kernel, strides, pads } = shape;
  const spatial = kernel.length;
  const first = self.dims.length - spatial;
  const sizes = self.dims.slice(first);
  const counts = node.out().dims.slice(first);
  const sliding = (size: (i: number) => Dim, pad: (i: number) => number): Bins[] =>
    kernel.map((length, i) =>
      slidingBins(g, {
        size: size(i),
        out: counts[i]!,
        kernel: length,
        stride: strides[i]!,
        pad: pad(i),
        dilation: 1,
      }),
    );
  const axes = sliding(
    (i) => sizes[i]!,
    (i) => pads[i]!,
  );
  const elements = gatherBins(g, self, { first, axes });
  const sum = g.op("ReduceSum", [elements, g.ints(kernel.map((_, i) => first + 2 * i + 1))], { keepdims: 0 });
  if (divisor !== undefined) return g.op("Div", [sum, g.scalar(self.dtype, divisor)]);
  // With the padding counted, windows lie on the padded input; what reaches beyond that never counts.
  const counted = node.bool("count_include_pad")
    ? sliding(
        (i) => add(sizes[i]!, 2 * pads[i]!),
        () => 0,
      )
    : axes;
  const perWindow = counted
    .map(({ count }, i) => g.unsqueeze(count, trailingAxes(spatial - 1 - i)))
    .reduce((a, b) => g.op("Mul", [a, b]));
  return g.op("Div", [sum, g.cast(perWindow, self.dtype)]);
}

function trailingAxes(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i + 1);
}

interface DividedSum {
  readonly self: Tensor;
  readonly shape: Window;
  readonly divisor: number;
}

/** Sums over windows divided by a given number. The input is padded as far as the last window reaches. */
function dividedSum(node: OpNode, g: Emitter, { self, shape, divisor }: DividedSum): Val {
  const { kernel_shape: kernel, strides, pads } = shape;
  const { dims } = node.out();
  const spatial = kernel.length;
  const axes = lastAxes(self, spatial);
  const reach = axes.map((axis, i) => {
    const needed = add(mul(add(dims[axis]!, -1), strides[i]!), kernel[i]!);
    return sym("max", sub(needed, add(self.dims[axis]!, pads[i]!)), 0);
  });
  const whole = padded(g, self, {
    rank: self.dims.length,
    pads: axes.map((axis, i) => ({ axis, before: pads[i]!, after: reach[i]! })),
    value: g.scalar(self.dtype, 0),
  });
  const sizes = self.dims.map((dim, axis) => {
    const i = axes.indexOf(axis);
    return i < 0 ? dim : add(dim, add(pads[i]!, reach[i]!));
  });
  const mean = batched(g, g.typed(whole, sizes), spatial, (x) =>
    g.op("AveragePool", [x], { kernel_shape: kernel, strides }),
  );
  const area = kernel.reduce((a, b) => a * b, 1);
  return g.op("Mul", [mean, g.scalar(mean.dtype, area / divisor)]);
}

/**
 * aten::adaptive_avg_pool2d(Tensor self, SymInt[2] output_size) -> Tensor
 * aten::_adaptive_avg_pool2d(Tensor self, SymInt[2] output_size) -> Tensor
 * aten::_adaptive_avg_pool3d(Tensor self, SymInt[3] output_size) -> Tensor
 * aten::adaptive_avg_pool1d(Tensor self, int[1] output_size) -> Tensor
 * aten::adaptive_avg_pool3d(Tensor self, SymInt[3] output_size) -> Tensor
 */
function adaptiveAvgPool(spatial: number): Lowering {
  return (node, g) => {
    const self = node.tensor("self");
    const sizes = self.dims.slice(-spatial);
    const wanted = spread(node.sizes("output_size"), spatial);
    if (wanted.every((size) => size === 1)) {
      return reduceMean(g, self, { axes: lastAxes(self, spatial), keepdims: 1 });
    }
    const kernel = wanted.map((size, i) => evenKernel(sizes[i]!, size));
    if (self.dtype === "float32" && kernel.every((k) => k !== undefined)) {
      return batched(g, self, spatial, (x) =>
        g.op("AveragePool", [x], { kernel_shape: kernel, strides: kernel }),
      );
    }
    const rank = self.dims.length;
    return wanted.reduce<Val>(
      (x, size, i) => averageAxis(g, x, { axis: rank - spatial + i, rank, from: sizes[i]!, to: size }),
      self,
    );
  };
}

function lastAxes(self: Tensor, count: number): number[] {
  return Array.from({ length: count }, (_, i) => self.dims.length - count + i);
}

/** The size of the bins where they are all equal. */
export function evenKernel(from: Dim, to: Dim): number | undefined {
  const isKnown = typeof from === "number" && typeof to === "number";
  return isKnown && from % to === 0 && from > 0 ? from / to : undefined;
}

interface AxisAverage {
  readonly axis: number;
  readonly rank: number;
  readonly from: Dim;
  readonly to: Dim;
}

/** Averages uneven bins along one axis. */
function averageAxis(g: Emitter, x: Val, { axis, rank, from, to }: AxisAverage): Val {
  const { index, isInside, count } = bins(g, from, to);
  const trailing = Array.from({ length: rank - 1 - axis }, (_, i) => i + 1);
  const elements = g.op("Gather", [x, index], { axis });
  const inside = g.where(
    g.unsqueeze(
      isInside,
      trailing.map((i) => i + 1),
    ),
    elements,
    g.scalar(x.dtype, 0),
  );
  const sum = g.op("ReduceSum", [inside, g.ints([axis + 1])], { keepdims: 0 });
  return g.op("Div", [sum, g.unsqueeze(g.cast(count, x.dtype), trailing)]);
}

export const AVERAGE_POOLING: LoweringTable = {
  "aten.avg_pool1d.default": avgPool(1),
  "aten.avg_pool2d.default": avgPool(2),
  "aten.avg_pool3d.default": avgPool(3),
  "aten.adaptive_avg_pool1d.default": adaptiveAvgPool(1),
  "aten.adaptive_avg_pool2d.default": adaptiveAvgPool(2),
  "aten.adaptive_avg_pool3d.default": adaptiveAvgPool(3),
  "aten._adaptive_avg_pool2d.default": adaptiveAvgPool(2),
  "aten._adaptive_avg_pool3d.default": adaptiveAvgPool(3),
};

import { type Dim, product } from "../graph/sym.ts";
import type { Attributes } from "../onnx/model.ts";
import { batched, spread } from "./convolution.ts";
import type { Emitter } from "./emitter.ts";
import type { Lowering, LoweringTable } from "./lowering.ts";
import type { OpNode } from "./op-node.ts";
import { refuse } from "./refusal.ts";
import type { Tensor, Val } from "./tensor.ts";

function window(node: OpNode, spatial: number): Attributes {
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

/** aten::max_pool2d(Tensor self, int[2] kernel_size, int[2] stride=[], int[2] padding=0, int[2] dilation=1, bool ceil_mode=False) -> Tensor */
function maxPool(spatial: number): Lowering {
  return (node, g) => {
    const attributes = { ...window(node, spatial), dilations: spread(node.ints("dilation"), spatial) };
    return batched(g, node.tensor("self"), spatial, (x) => g.op("MaxPool", [x], attributes));
  };
}

/** aten::avg_pool2d(Tensor self, int[2] kernel_size, int[2] stride=[], int[2] padding=0, bool ceil_mode=False, bool count_include_pad=True, int? divisor_override=None) -> Tensor */
function avgPool(spatial: number): Lowering {
  return (node, g) => {
    const divisor = node.optionalInt("divisor_override");
    const includePad = divisor !== undefined || node.bool("count_include_pad");
    const shape = window(node, spatial);
    if (divisor !== undefined && shape["ceil_mode"] === 1) refuse("divisor_override together with ceil_mode");
    const attributes = { ...shape, count_include_pad: Number(includePad) };
    const mean = batched(g, node.tensor("self"), spatial, (x) => g.op("AveragePool", [x], attributes));
    if (divisor === undefined) return mean;
    const area = (shape["kernel_shape"] as number[]).reduce((a, b) => a * b, 1);
    return g.op("Mul", [mean, g.scalar(mean.dtype, area / divisor)]);
  };
}

/** aten::adaptive_avg_pool2d(Tensor self, SymInt[2] output_size) -> Tensor */
function adaptiveAvgPool(spatial: number): Lowering {
  return (node, g) => {
    const self = node.tensor("self");
    const sizes = self.dims.slice(-spatial);
    const wanted = spread(node.ints("output_size"), spatial);
    if (wanted.every((size) => size === 1)) {
      return g.op("ReduceMean", [self, g.ints(lastAxes(self, spatial))], { keepdims: 1 });
    }
    const kernel = wanted.map((size, i) => evenKernel(sizes[i]!, size));
    if (kernel.every((k) => k !== undefined)) {
      return batched(g, self, spatial, (x) =>
        g.op("AveragePool", [x], { kernel_shape: kernel, strides: kernel }),
      );
    }
    const dims = [...self.dims];
    return wanted.reduce<Val>((x, to, i) => {
      const axis = dims.length - spatial + i;
      const averaged = averageAxis(g, x, {
        before: dims.slice(0, axis),
        from: dims[axis]!,
        to,
        after: dims.slice(axis + 1),
      });
      dims[axis] = to;
      return averaged;
    }, self);
  };
}

function lastAxes(self: Tensor, count: number): number[] {
  return Array.from({ length: count }, (_, i) => self.dims.length - count + i);
}

function evenKernel(from: Dim, to: number): number | undefined {
  return typeof from === "number" && from % to === 0 ? from / to : undefined;
}

/** One axis among the sizes before and after it. */
interface AxisAverage {
  readonly before: readonly Dim[];
  readonly from: Dim;
  readonly to: number;
  readonly after: readonly Dim[];
}

/**
 * Averages uneven bins along one axis with a matrix: bin i covers floor(i·from/to) to ceil((i+1)·from/to). The matrix stands on the
 * left of [rest, from, inner], so that nothing is transposed (ONNX Runtime 1.30 fuses Transpose and MatMul wrongly past rank 4).
 */
function averageAxis(g: Emitter, x: Val, { before, from, to, after }: AxisAverage): Val {
  if (typeof from !== "number")
    return refuse("the pooled size is not constant and does not divide into the output's");
  const weights = new Array<number>(from * to).fill(0);
  for (let bin = 0; bin < to; bin++) {
    const start = Math.floor((bin * from) / to);
    const end = Math.ceil(((bin + 1) * from) / to);
    for (let i = start; i < end; i++) weights[bin * from + i] = 1 / (end - start);
  }
  const columns = g.reshape(x, [product(before), from, product(after)]);
  return g.reshape(g.op("MatMul", [g.constant(x.dtype, weights, [to, from]), columns]), [
    ...before,
    to,
    ...after,
  ]);
}

export const POOLING: LoweringTable = {
  "aten.max_pool1d.default": maxPool(1),
  "aten.max_pool2d.default": maxPool(2),
  "aten.max_pool3d.default": maxPool(3),
  "aten.avg_pool1d.default": avgPool(1),
  "aten.avg_pool2d.default": avgPool(2),
  "aten.avg_pool3d.default": avgPool(3),
  "aten.adaptive_avg_pool1d.default": adaptiveAvgPool(1),
  "aten.adaptive_avg_pool2d.default": adaptiveAvgPool(2),
  "aten.adaptive_avg_pool3d.default": adaptiveAvgPool(3),
};

import { type Dim, product } from "../../graph/sym.ts";
import type { Emitter } from "../core/emitter.ts";
import type { Tensor, Val } from "../core/tensor.ts";
import { unsupported } from "../core/unsupported.ts";
import { gatherBins, slidingBins, transposedBins } from "./window-bins.ts";

export interface IntegerConvolution {
  readonly input: Tensor;
  readonly weight: Tensor;
  readonly bias: Tensor | undefined;
  /** The result's size. */
  readonly out: readonly Dim[];
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  /** Before the first element of each axis; what follows the last one is told by the result's size. */
  readonly pads: readonly number[];
  readonly dilations: readonly number[];
  readonly groups: number;
  readonly isTransposed: boolean;
}

/**
 * Convolution of integers, exact: ONNX Runtime convolves floats only, but it gathers and multiplies matrices of integers. All windows
 * lie side by side as columns, and the kernels are the rows of one matrix per group.
 */
export function integerConvolution(g: Emitter, given: IntegerConvolution): Val {
  const { input, bias, out, kernel, groups } = given;
  const rows = kernelRows(g, given);
  const spatial = kernel.length;
  const batch = input.dims.length === spatial + 2 ? input.dims[0]! : 1;
  const sizes = input.dims.slice(-spatial);
  const counts = out.slice(-spatial);
  const channels = rows.depth / areaOf(kernel);
  const axes = kernel.map((length, i) =>
    (given.isTransposed ? transposedBins : slidingBins)(g, {
      size: sizes[i]!,
      out: counts[i]!,
      kernel: length,
      stride: given.strides[i]!,
      pad: given.pads[i]!,
      dilation: given.dilations[i]!,
    }),
  );
  const grouped = g.reshape(input, [batch, groups, channels, ...sizes]);
  const windows = gatherBins(g, grouped, { first: 3, axes });
  const order = [0, 1, 2, ...kernel.map((_, i) => 4 + 2 * i), ...kernel.map((_, i) => 3 + 2 * i)];
  const columns = g.reshape(g.transpose(windows, order), [batch, groups, rows.depth, product(counts)]);
  const result = g.reshape(g.op("MatMul", [rows.matrix, columns]), out);
  if (bias === undefined) return result;
  const trailing = kernel.map((_, i) => i + 1);
  return g.op("Add", [result, g.unsqueeze(bias, trailing)]);
}

/** The weights as [groups, channels out, channels in · kernel elements]. */
function kernelRows(
  g: Emitter,
  { weight, groups, isTransposed, kernel }: IntegerConvolution,
): { readonly matrix: Val; readonly depth: number } {
  const [first, second] = weight.dims.map((dim) =>
    typeof dim === "number" ? dim : unsupported("the size of its weight is not constant"),
  ) as [number, number];
  const area = areaOf(kernel);
  if (!isTransposed) {
    const depth = second * area;
    return { matrix: g.reshape(weight, [groups, first / groups, depth]), depth };
  }
  const split = g.reshape(weight, [groups, first / groups, second, area]);
  const depth = (first / groups) * area;
  return { matrix: g.reshape(g.transpose(split, [0, 2, 1, 3]), [groups, second, depth]), depth };
}

function areaOf(sizes: readonly number[]): number {
  return sizes.reduce((a, b) => a * b, 1);
}

import { type Dim, mul, product } from "../../graph/sym.ts";
import { positions } from "../core/arange.ts";
import type { Emitter } from "../core/emitter.ts";
import type { Lowering, LoweringTable } from "../core/lowering.ts";
import type { Tensor, Val } from "../core/tensor.ts";

/** One dimension that is pooled. */
interface Axis {
  readonly size: Dim;
  readonly window: number;
  readonly count: number;
  /** Where the sequence of windows begins, of each channel: [batch, channels]. */
  readonly sample: Val;
}

/** Where each window along a dimension begins, [batch, channels, count] (at::native generate_intervals). */
function startsOf(g: Emitter, { size, window, count, sample }: Axis): Val {
  const { dtype } = sample;
  const last = g.op("Sub", [g.number(size, dtype), g.scalar(dtype, window)]);
  const step = count > 1 ? g.op("Div", [last, g.scalar(dtype, count - 1)]) : last;
  const first = g.unsqueeze(sample, [-1]);
  const place = g.op("Add", [g.cast(positions(g, count), dtype), first]);
  const cut = (x: Val): Val => g.cast(g.op("Mul", [x, step]), "int64");
  const starts = g.op("Sub", [cut(place), cut(first)]);
  const isLast = g.op("Equal", [positions(g, count), g.scalar("int64", count - 1)]);
  return g.where(isLast, g.cast(last, "int64"), starts);
}

/** The places within a plane of all elements of all windows, [batch, channels, windows, elements]. */
function placesOf(g: Emitter, axes: readonly Axis[], lead: readonly Dim[]): Val {
  const counts = axes.map(({ count }) => count);
  const windows = axes.map(({ window }) => window);
  const sum = axes
    .map((axis, i) => {
      const starts = g.unsqueeze(startsOf(g, axis), [-1]);
      const along = g.op("Add", [starts, positions(g, axis.window)]);
      const only = (sizes: readonly number[]): number[] => sizes.map((size, k) => (k === i ? size : 1));
      const placed = g.reshape(along, [...lead, ...only(counts), ...only(windows)]);
      const stride = product(axes.slice(i + 1).map(({ size }) => size));
      return g.op("Mul", [placed, g.number(stride, "int64")]);
    })
    .reduce((a, b) => g.op("Add", [a, b]));
  return g.reshape(sum, [...lead, product(counts), product(windows)]);
}

/**
 * aten::fractional_max_pool2d(Tensor self, int[2] kernel_size, int[2] output_size, Tensor random_samples) -> (Tensor, Tensor)
 * aten::fractional_max_pool3d(Tensor self, int[3] kernel_size, int[3] output_size, Tensor random_samples) -> (Tensor, Tensor)
 *
 * The samples tell how far apart windows lie; where they are drawn by chance the program is refused for that. The last NaN of a window wins.
 */
function fractionalPooling(spatial: 2 | 3): Lowering {
  return (node, g) => {
    const self = node.tensor("self");
    const lead = self.dims.length === spatial + 1 ? [1, self.dims[0]!] : self.dims.slice(0, 2);
    const sizes = self.dims.slice(-spatial);
    const given = node.tensor("random_samples");
    // There may be samples for more images than there are.
    const samples = g.op("Slice", [given, g.ints([0]), g.shape([lead[0]!]), g.ints([0])]);
    const [windows, counts] = [node.ints("kernel_size"), node.ints("output_size")];
    const axes = sizes.map((size, i): Axis => {
      // The samples of a plane are those of its width and its height, of a volume in the order of its dimensions.
      const at = spatial === 2 ? 1 - i : i;
      const sample = g.op("Gather", [g.cast(samples, self.dtype), g.scalar("int64", at)], { axis: 2 });
      return { size, window: windows[i]!, count: counts[i]!, sample };
    });
    const places = placesOf(g, axes, lead);
    const flat = [...lead, mul(product(counts), product(windows))];
    const plane = g.reshape(self, [...lead, product(sizes)]);
    const taken = g.op("GatherElements", [plane, g.reshape(places, flat)], { axis: 2 });
    const apart = { ...self, ...g.reshape(taken, [...lead, product(counts), product(windows)]) };
    const { value, place } = greatest(g, apart, places);
    return [g.reshape(value, node.out(0).dims), g.reshape(place, node.out(0).dims)];
  };
}

/** The dimension of a window's elements. */
const LAST = 3;

/** The greatest of the last dimension, and the place that stands beside it. */
function greatest(g: Emitter, x: Tensor, places: Val): { value: Val; place: Val } {
  const isNan = g.op("IsNaN", [x]);
  const numbers = g.where(isNan, g.scalar(x.dtype, Number.NEGATIVE_INFINITY), x);
  const best = (val: Val, isLast: number): Val =>
    g.op("ArgMax", [val], { axis: LAST, keepdims: 1, select_last_index: isLast });
  const nans = g.cast(isNan, "int32");
  const hasNan = g.cast(g.op("ReduceMax", [nans, g.ints([LAST])], { keepdims: 1 }), "bool");
  const at = g.where(hasNan, best(nans, 1), best(numbers, 0));
  const taken = (val: Val): Val => g.op("GatherElements", [val, at], { axis: LAST });
  return { value: taken(x), place: taken(places) };
}

export const FRACTIONAL_POOLING: LoweringTable = {
  "aten.fractional_max_pool2d.default": fractionalPooling(2),
  "aten.fractional_max_pool3d.default": fractionalPooling(3),
};

import type { DType } from "../../dtype.ts";
import { type Dim, product } from "../../graph/sym.ts";
import { either } from "../core/either.ts";
import type { Emitter } from "../core/emitter.ts";
import { withIndex } from "../core/index-check.ts";
import type { Lowering, LoweringTable } from "../core/lowering.ts";
import { comesFromConvolution, mayHoldNan } from "../core/not-a-number.ts";
import { unlessNothing } from "../core/nothing.ts";
import type { OpNode } from "../core/op-node.ts";
import { isFloat, type Tensor, type Val } from "../core/tensor.ts";
import { extremeOf } from "../shape/element-scatter.ts";
import { type Bins, bins } from "./adaptive-bins.ts";
import { evenKernel, window } from "./average-pooling.ts";
import { batched, spread } from "./convolution.ts";
import { slidingBins } from "./window-bins.ts";

/** Runs MaxPool with places; they count within one channel in PyTorch, across the whole tensor in ONNX. */
function pooled(
  g: Emitter,
  self: Tensor,
  {
    spatial,
    attributes,
  }: { spatial: number; attributes: Readonly<Record<string, number | readonly number[]>> },
): Val[] {
  const isBatched = self.dims.length === spatial + 2;
  const x = isBatched ? self : g.unsqueeze(self, [0]);
  const [values, places] = g.ops("MaxPool", [x], { count: 2, attributes });
  const perChannel = g.number(product(self.dims.slice(-spatial)), "int64");
  const local = g.op("Mod", [places!, perChannel], { fmod: 0 });
  return isBatched ? [values!, local] : [g.squeeze(values!, [0]), g.squeeze(local, [0])];
}

interface Pool {
  readonly dtypes: readonly DType[];
  /** The results by ONNX Runtime's kernel, which passes over NaN. */
  readonly fast: (at: Emitter) => readonly Val[];
  /** The same by way of gathered windows, in which NaN wins. */
  readonly exact: (at: Emitter) => readonly Val[];
}

/**
 * Results of max pooling, in which NaN wins. Where a convolution comes before it, another way beside the kernel's would cost each run the
 * layout that ONNX Runtime gives them both: there inputs with NaN are refused, from which it would have come.
 */
function withNan(g: Emitter, x: Tensor, { dtypes, fast, exact }: Pool): Val[] {
  if (comesFromConvolution(g, x)) {
    g.passingOverNan.add(g.target);
    return [...fast(g)];
  }
  return either(g, mayHoldNan(g, x), { dtypes, yes: exact, no: fast, isShortcut: true });
}

/**
 * aten::max_pool2d_with_indices(Tensor self, int[2] kernel_size, int[2] stride=[], int[2] padding=0, int[2] dilation=1, bool ceil_mode=False) -> (Tensor, Tensor)
 * aten::max_pool1d_with_indices(Tensor self, int[1] kernel_size, int[1] stride=[], int[1] padding=[0], int[1] dilation=[1], bool ceil_mode=False) -> (Tensor, Tensor)
 * aten::max_pool3d_with_indices(Tensor self, int[3] kernel_size, int[3] stride=[], int[3] padding=0, int[3] dilation=1, bool ceil_mode=False) -> (Tensor, Tensor)
 */
function maxPoolWithIndices(spatial: number): Lowering {
  return (node, g) => {
    const self = node.tensor("self");
    if (!isFloat(self.dtype)) return maxOfWindows(node, g, spatial);
    const attributes = { ...window(node, spatial), dilations: spread(node.ints("dilation"), spatial) };
    return withNan(g, self, {
      dtypes: [self.dtype, "int64"],
      fast: (at) => pooled(at, self, { spatial, attributes }),
      exact: (at) => maxOfWindows(node, at, spatial),
    });
  };
}

/**
 * aten::max_pool2d(Tensor self, int[2] kernel_size, int[2] stride=[], int[2] padding=0, int[2] dilation=1, bool ceil_mode=False) -> Tensor
 * aten::max_pool1d(Tensor self, int[1] kernel_size, int[1] stride=[], int[1] padding=[0], int[1] dilation=[1], bool ceil_mode=False) -> Tensor
 * aten::max_pool3d(Tensor self, int[3] kernel_size, int[3] stride=[], int[3] padding=0, int[3] dilation=1, bool ceil_mode=False) -> Tensor
 */
function maxPool(spatial: number): Lowering {
  return (node, g) => {
    const self = node.tensor("self");
    if (!isFloat(self.dtype)) return maxOfWindows(node, g, spatial)[0]!;
    const attributes = { ...window(node, spatial), dilations: spread(node.ints("dilation"), spatial) };
    return withNan(g, self, {
      dtypes: [self.dtype],
      fast: (at) => [batched(at, self, spatial, (x) => at.op("MaxPool", [x], attributes))],
      exact: (at) => maxOfWindows(node, at, spatial).slice(0, 1),
    })[0]!;
  };
}

/** By gathered windows: ONNX Runtime pools no wide integers, and passes over NaN. */
function maxOfWindows(node: OpNode, g: Emitter, spatial: number): Val[] {
  const self = node.tensor("self");
  const { kernel_shape: kernel, strides, pads } = window(node, spatial);
  const dilations = spread(node.ints("dilation"), spatial);
  const out = node.out().dims;
  const sizes = self.dims.slice(-spatial);
  const axes = kernel.map((length, i) =>
    slidingBins(g, {
      size: sizes[i]!,
      out: out.slice(-spatial)[i]!,
      kernel: length,
      stride: strides[i]!,
      pad: pads[i]!,
      dilation: dilations[i]!,
    }),
  );
  return unevenMax(g, self, { axes, out, sizes });
}

/**
 * aten::adaptive_max_pool2d(Tensor self, int[2] output_size) -> (Tensor, Tensor)
 * aten::adaptive_max_pool1d(Tensor self, int[1] output_size) -> (Tensor, Tensor)
 * aten::adaptive_max_pool3d(Tensor self, int[3] output_size) -> (Tensor, Tensor)
 */
function adaptiveMaxPool(spatial: number): Lowering {
  return (node, g) => {
    const self = node.tensor("self");
    const sizes = self.dims.slice(-spatial);
    const wanted = spread(node.sizes("output_size"), spatial);
    const maxOfBins = (at: Emitter): Val[] => {
      const axes = wanted.map((size, i) => bins(at, sizes[i]!, size));
      return unevenMax(at, self, { axes, out: node.out().dims, sizes });
    };
    const kernel = wanted.map((size, i) => evenKernel(sizes[i]!, size));
    if (kernel.every((k) => k !== undefined)) {
      const attributes = { kernel_shape: kernel, strides: kernel };
      const { dims } = node.out();
      return unlessNothing(g, {
        sizes: [self.dims.at(-spatial - 1)!],
        empty: [
          { dtype: self.dtype, dims },
          { dtype: "int64", dims },
        ],
        emit: (inner) =>
          withNan(inner, self, {
            dtypes: [self.dtype, "int64"],
            fast: (at) => pooled(at, self, { spatial, attributes }),
            exact: (at) => maxOfBins(at),
          }),
      });
    }
    return maxOfBins(g);
  };
}

interface Uneven {
  readonly axes: readonly Bins[];
  readonly out: readonly Dim[];
  readonly sizes: readonly Dim[];
}

/** Gathers every bin in full ([…, bins, elements]), then takes the largest element that lies within the bin, the first one of equals. */
function unevenMax(g: Emitter, self: Tensor, { axes, out, sizes }: Uneven): Val[] {
  const spatial = axes.length;
  const leading = self.dims.length - spatial;
  let elements: Val = self;
  for (const [i, { index }] of axes.entries()) {
    elements = g.op("Gather", [elements, index], { axis: leading + 2 * i });
  }
  const order = [
    ...Array.from({ length: leading }, (_, i) => i),
    ...axes.map((_, i) => leading + 2 * i),
    ...axes.map((_, i) => leading + 2 * i + 1),
  ];
  const lined = g.reshape(g.transpose(elements, order), [
    ...out,
    product(axes.map(({ longest }) => longest)),
  ]);
  const isInside = acrossAxes(g, axes, (axis) => axis.isInside).reduce((a, b) => g.op("And", [a, b]));
  const place = acrossAxes(g, axes, (axis) => axis.index).reduce((outer, inner, i) =>
    g.op("Add", [g.op("Mul", [outer, g.number(sizes[i]!, "int64")]), inner]),
  );
  const flat = [...out.slice(-spatial), product(axes.map(({ longest }) => longest))];
  const full = (val: Val): Val =>
    g.reshape(g.expand(val, [...out.slice(-spatial), ...axes.map((a) => a.longest)]), flat);
  const candidates = g.where(full(isInside), lined, g.scalar(self.dtype, extremeOf(self.dtype, true)));
  const at = firstLargest(g, candidates, out.length);
  const places = g.expand(full(place), [...out, product(axes.map(({ longest }) => longest))]);
  const take = (val: Val): Val => g.squeeze(g.op("GatherElements", [val, at], { axis: -1 }), [-1]);
  return [take(candidates), take(places)];
}

/** Where the largest element along an axis (counted from the front, or ArgMax fails on nothing) stands, the first of equals; of NaN the last one, which is what PyTorch keeps. */
function firstLargest(g: Emitter, candidates: Val, axis: number): Val {
  const last = { axis, keepdims: 1 };
  const largest = g.op("ArgMax", [candidates], last);
  if (!isFloat(candidates.dtype)) return largest;
  const isNan = g.cast(g.op("IsNaN", [candidates]), "int32");
  const nan = g.op("ArgMax", [isNan], { ...last, select_last_index: 1 });
  return g.where(g.op("GatherElements", [isNan, nan], { axis }), nan, largest);
}

/** What belongs to each axis ([bins, longest]), placed so that the axes broadcast: [bins…, longest…]. */
function acrossAxes(g: Emitter, axes: readonly Bins[], pick: (axis: Bins) => Val): Val[] {
  const spatial = axes.length;
  return axes.map((axis, i) =>
    g.unsqueeze(
      pick(axis),
      Array.from({ length: 2 * spatial }, (_, at) => at).filter((at) => at !== i && at !== spatial + i),
    ),
  );
}

/**
 * aten::max_unpool2d(Tensor self, Tensor indices, SymInt[2] output_size) -> Tensor
 * aten::max_unpool3d(Tensor self, Tensor indices, SymInt[3] output_size, int[3] stride, int[3] padding) -> Tensor
 */
function maxUnpool(spatial: number): Lowering {
  return (node, g) => {
    const self = node.tensor("self");
    const leading = self.dims.slice(0, -spatial);
    const { dims } = node.out();
    const flat = (val: Val, sizes: readonly Dim[]): Val =>
      g.reshape(val, [...leading, product(sizes.slice(-spatial))]);
    const zeros = g.expand(g.scalar(self.dtype, 0), [...leading, product(dims.slice(-spatial))]);
    const placed = withIndex(node, g, {
      use: { index: node.tensor("indices"), size: product(dims.slice(-spatial)) },
      emit: (places) =>
        g.op("ScatterElements", [zeros, flat(places, self.dims), flat(self, self.dims)], {
          axis: leading.length,
        }),
    });
    return g.reshape(placed, dims);
  };
}

/**
 * aten::max_pool2d_with_indices_backward(Tensor grad_output, Tensor self, int[2] kernel_size, int[2] stride, int[2] padding, int[2]
 * dilation, bool ceil_mode, Tensor indices) -> Tensor: every gradient goes to the place that its maximum came from
 */
export const maxPoolBackward: Lowering = (node, g) => {
  const gradient = node.tensor("grad_output");
  const { dims, dtype } = node.out();
  const leading = dims.slice(0, -2);
  const flat = (val: Val): Val => g.reshape(val, [...leading, product(gradient.dims.slice(-2))]);
  const zeros = g.expand(g.scalar(dtype, 0), [...leading, product(dims.slice(-2))]);
  const updates = [flat(node.tensor("indices")), flat(g.cast(gradient, dtype))] as const;
  const attributes = { axis: leading.length, reduction: "add" };
  return g.reshape(g.op("ScatterElements", [zeros, ...updates], attributes), dims);
};

export const MAX_POOLING: LoweringTable = {
  "aten.max_pool1d.default": maxPool(1),
  "aten.max_pool2d.default": maxPool(2),
  "aten.max_pool3d.default": maxPool(3),
  "aten.max_pool1d_with_indices.default": maxPoolWithIndices(1),
  "aten.max_pool2d_with_indices.default": maxPoolWithIndices(2),
  "aten.max_pool3d_with_indices.default": maxPoolWithIndices(3),
  "aten.max_pool2d_with_indices_backward.default": maxPoolBackward,
  "aten.adaptive_max_pool1d.default": adaptiveMaxPool(1),
  "aten.adaptive_max_pool2d.default": adaptiveMaxPool(2),
  "aten.adaptive_max_pool3d.default": adaptiveMaxPool(3),
  "aten.max_unpool2d.default": maxUnpool(2),
  "aten.max_unpool3d.default": maxUnpool(3),
};

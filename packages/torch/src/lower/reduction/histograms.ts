import { add, type Dim, product, sub } from "../../graph/sym.ts";
import { bisect } from "../comparison/searching.ts";
import { arange } from "../core/arange.ts";
import type { Emitter } from "../core/emitter.ts";
import type { Lowering, LoweringTable } from "../core/lowering.ts";
import { mayBeZero } from "../core/nothing.ts";
import type { OpNode } from "../core/op-node.ts";
import { requirement } from "../core/requirement.ts";
import type { Tensor, Val } from "../core/tensor.ts";
import { unsupported } from "../core/unsupported.ts";

/**
 * aten::histc(Tensor self, int bins=100, Scalar min=0, Scalar max=0) -> Tensor
 *
 * Equal limits stand for the smallest and largest element, and those, if equal, for one less and one more (at::native histc).
 */
export const histc: Lowering = (node, g) => {
  const { dtype } = node.out();
  const x = g.reshape(g.cast(node.tensor("self"), dtype), [-1]);
  const bins = node.int("bins");
  const [low, high] = histogramLimits(node, g, x);
  const isInside = g.op("And", [g.op("GreaterOrEqual", [x, low]), g.op("LessOrEqual", [x, high])]);
  const scaled = g.op("Mul", [g.op("Sub", [x, low]), g.scalar(dtype, bins)]);
  const place = g.op("Floor", [g.op("Div", [scaled, g.op("Sub", [high, low])])]);
  const bin = g.cast(
    g.op("Min", [g.where(isInside, place, g.scalar(dtype, 0)), g.scalar(dtype, bins - 1)]),
    "int64",
  );
  const isHit = g.op("And", [
    g.op("Equal", [g.unsqueeze(arange(g, bins), [1]), g.unsqueeze(bin, [0])]),
    g.unsqueeze(isInside, [0]),
  ]);
  return g.op("ReduceSum", [g.cast(isHit, dtype), g.ints([1])], { keepdims: 0 });
};

function histogramLimits(node: OpNode, g: Emitter, x: Val): readonly [Val, Val] {
  const [min, max] = [node.scalar("min").value, node.scalar("max").value];
  if (min !== max) return [g.scalar(x.dtype, Number(min)), g.scalar(x.dtype, Number(max))];
  const low = g.op("ReduceMin", [x, g.ints([0])], { keepdims: 0 });
  const high = g.op("ReduceMax", [x, g.ints([0])], { keepdims: 0 });
  const isFlat = g.op("Equal", [low, high]);
  const one = g.scalar(x.dtype, 1);
  return [g.where(isFlat, g.op("Sub", [low, one]), low), g.where(isFlat, g.op("Add", [high, one]), high)];
}

/** What is counted along one dimension: its numbers, and the edges of its bins. */
interface Axis {
  readonly values: Tensor;
  readonly edges: Val;
  readonly bins: Dim;
}

/**
 * aten::histogram.bin_ct(Tensor self, int bins=100, *, float[]? range=None, Tensor? weight=None, bool density=False) -> (Tensor hist, Tensor bin_edges)
 * aten::histogram.bins_tensor(Tensor self, Tensor bins, *, Tensor? weight=None, bool density=False) -> (Tensor hist, Tensor bin_edges)
 */
export const histogram: Lowering = (node, g) => {
  const self = node.tensor("self");
  const columns = [{ ...self, ...g.reshape(self, [-1]), dims: [product(self.dims)] }];
  const axes = node.target.endsWith(".bin_ct")
    ? evenAxes(node, g, { columns, counts: [node.int("bins")] })
    : givenAxes(columns, [node.tensor("bins")]);
  return [countsOf(node, g, axes), axes[0]!.edges];
};

/**
 * aten::histogramdd(Tensor self, int[] bins, float[]? range=None, Tensor? weight=None, bool density=False) -> (Tensor hist, Tensor[] bin_edges)
 * aten::histogramdd.int_bins(Tensor self, int bins, float[]? range=None, Tensor? weight=None, bool density=False) -> (Tensor hist, Tensor[] bin_edges)
 * aten::histogramdd.TensorList_bins(Tensor self, Tensor[] bins, float[]? range=None, Tensor? weight=None, bool density=False) -> (Tensor hist, Tensor[] bin_edges)
 */
export const histogramdd: Lowering = (node, g) => {
  const axes = axesOf(node, g);
  return [countsOf(node, g, axes), ...axes.map(({ edges }) => edges)];
};

/**
 * aten::_histogramdd_from_bin_cts(Tensor self, int[] bins, *, float[]? range=None, Tensor? weight=None, bool density=False) -> Tensor
 * aten::_histogramdd_from_bin_tensors(Tensor self, Tensor[] bins, *, Tensor? weight=None, bool density=False) -> Tensor
 */
export const histogramddCounts: Lowering = (node, g) => countsOf(node, g, axesOf(node, g));

/** aten::_histogramdd_bin_edges(Tensor self, int[] bins, *, float[]? range=None, Tensor? weight=None, bool density=False) -> Tensor[] */
export const histogramddEdges: Lowering = (node, g) => axesOf(node, g).map(({ edges }) => edges);

/** The columns of the last dimension with their bins. */
function axesOf(node: OpNode, g: Emitter): readonly Axis[] {
  const self = node.tensor("self");
  const count = self.dims.at(-1);
  if (typeof count !== "number") return unsupported("how many dimensions it counts along is not constant");
  const rows = product(self.dims.slice(0, -1));
  const table = g.reshape(self, [rows, count]);
  const columns = Array.from({ length: count }, (_, i) => ({
    ...self,
    ...g.op("Gather", [table, g.scalar("int64", i)], { axis: 1 }),
    dims: [rows],
  }));
  if (/TensorList_bins$|_bin_tensors\./.test(node.target)) return givenAxes(columns, node.tensors("bins"));
  const counts = node.ints("bins");
  return evenAxes(node, g, { columns, counts: columns.map((_, i) => counts[i] ?? counts[0]!) });
}

function givenAxes(columns: readonly Tensor[], bins: readonly Tensor[]): readonly Axis[] {
  return columns.map((values, i): Axis => {
    const edges = bins[i] ?? unsupported("it has fewer bins than dimensions");
    return { values, edges, bins: less(edges.dims[0]!) };
  });
}

function less(size: Dim): Dim {
  const bins = sub(size, 1);
  return bins === 0 ? unsupported("a histogram without bins") : bins;
}

interface Even {
  readonly columns: readonly Tensor[];
  readonly counts: readonly number[];
}

/** Bins of one width from `range`, or from the least number to the greatest. */
function evenAxes(node: OpNode, g: Emitter, { columns, counts }: Even): readonly Axis[] {
  const range = node.has("range") ? node.items("range").map((_, i) => floatAt(node, i)) : undefined;
  return columns.map((values, i): Axis => {
    const bins = counts[i]!;
    const limits =
      range === undefined
        ? outermost(g, values)
        : ([range[2 * i]!, range[2 * i + 1]!].map((end) => g.scalar(values.dtype, end)) as [Val, Val]);
    return { values, edges: spaced(g, apart(g, limits), bins), bins };
  });
}

function floatAt(node: OpNode, index: number): number {
  const arg = node.items("range")[index]!;
  return arg.kind === "float" || arg.kind === "int"
    ? Number(arg.value)
    : unsupported("its range is not constant");
}

/** The least number and the greatest; 0 and 1 of none. PyTorch raises where they are not finite. */
function outermost(g: Emitter, values: Tensor): readonly [Val, Val] {
  const { dtype, dims } = values;
  const number = (value: number): Val => g.scalar(dtype, value);
  if (dims[0] === 0) return [number(0), number(1)];
  const isNone = g.op("Equal", [g.number(dims[0]!, "int64"), g.scalar("int64", 0)]);
  const end = (type: "ReduceMax" | "ReduceMin", ofNone: number): Val => {
    const least = type === "ReduceMin" ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
    const rest = mayBeZero(g, dims[0]!) ? g.where(isNone, number(ofNone), number(least)) : number(least);
    const all = g.op("Concat", [values, g.unsqueeze(rest, [0])], { axis: 0 });
    return g.op(type, [all, g.ints([0])], { keepdims: 0 });
  };
  const [low, high] = [end("ReduceMin", 0), end("ReduceMax", 1)];
  const isOdd = g.op("Or", [g.op("IsInf", [values]), g.op("IsNaN", [values])]);
  const guard = g.cast(requirement(g, "finite numbers", isOdd), dtype);
  return [g.op("Add", [low, guard]), g.op("Add", [high, guard])];
}

/** Two limits that are one, with half on either side. */
function apart(g: Emitter, [low, high]: readonly [Val, Val]): readonly [Val, Val] {
  const isOne = g.op("Equal", [low, high]);
  const half = g.where(isOne, g.scalar(low.dtype, 0.5), g.scalar(low.dtype, 0));
  return [g.op("Sub", [low, half]), g.op("Add", [high, half])];
}

/** As `linspace` has it in the numbers' own type: counted from both ends. */
function spaced(g: Emitter, [low, high]: readonly [Val, Val], bins: number): Val {
  const { dtype } = low;
  const width = g.op("Div", [g.op("Sub", [high, low]), g.scalar(dtype, bins)]);
  const along = (place: (i: number) => number): Val =>
    g.constant(
      dtype,
      Array.from({ length: bins + 1 }, (_, i) => place(i)),
      [bins + 1],
    );
  const fromStart = g.op("Add", [low, g.op("Mul", [width, along((i) => i)])]);
  const fromEnd = g.op("Sub", [high, g.op("Mul", [width, along((i) => bins - i)])]);
  const half = Math.floor((bins + 1) / 2);
  return g.where(g.op("Greater", [g.scalar(dtype, half), along((i) => i)]), fromStart, fromEnd);
}

/** How much lies in each bin: elements, or their weights; as a density, the share of all by the size of the bin. */
function countsOf(node: OpNode, g: Emitter, axes: readonly Axis[]): Val {
  const { dtype } = node.out();
  const bins = axes.map((axis) => axis.bins);
  const total = product(bins);
  const { place, isInside } = placesOf(g, axes);
  const index = g.where(isInside, place, g.number(total, "int64"));
  const weight = node.optionalTensor("weight");
  const amounts =
    weight === undefined
      ? g.op("Expand", [g.scalar(dtype, 1), g.op("Shape", [index])])
      : g.cast(g.reshape(weight, [-1]), dtype);
  const none = g.op("Expand", [g.scalar(dtype, 0), g.op("Add", [g.shape([total]), g.ints([1])])]);
  const all = g.op("ScatterElements", [none, index, amounts], { axis: 0, reduction: "add" });
  const flat = g.op("Slice", [all, g.ints([0]), g.shape([total]), g.ints([0])]);
  const counts = g.reshape(flat, bins);
  return node.bool("density") ? densityOf(g, counts, axes) : counts;
}

/** Which bin of all each row belongs to, and whether to any: NaN and what lies outside does not count, the last edge does. */
function placesOf(g: Emitter, axes: readonly Axis[]): { place: Val; isInside: Val } {
  const parts = axes.map(({ values, edges, bins }) => {
    const end = (at: number): Val => g.op("Gather", [edges, g.scalar("int64", at)], { axis: 0 });
    const isInside = g.op("And", [
      g.op("GreaterOrEqual", [values, end(0)]),
      g.op("LessOrEqual", [values, end(-1)]),
    ]);
    const size = add(bins, 1);
    const { dims } = values;
    const after = bisect(g, { row: edges, value: values, isRight: true, size, isShared: true, dims });
    const last = g.op("Sub", [g.number(bins, "int64"), g.scalar("int64", 1)]);
    return { isInside, place: g.op("Min", [g.op("Sub", [after, g.scalar("int64", 1)]), last]), bins };
  });
  const place = parts
    .map((part) => part.place)
    .reduce((sum, next, i) => g.op("Add", [g.op("Mul", [sum, g.number(parts[i]!.bins, "int64")]), next]));
  return { place, isInside: parts.map((part) => part.isInside).reduce((a, b) => g.op("And", [a, b])) };
}

function densityOf(g: Emitter, counts: Val, axes: readonly Axis[]): Val {
  const shares = g.op("Div", [counts, g.op("ReduceSum", [counts], { keepdims: 0 })]);
  return axes.reduce((density, { edges, bins }, axis) => {
    const from = g.op("Slice", [edges, g.ints([0]), g.shape([bins]), g.ints([0])]);
    const to = g.op("Slice", [edges, g.ints([1]), g.ints([Number.MAX_SAFE_INTEGER]), g.ints([0])]);
    const trailing = Array.from({ length: axes.length - 1 - axis }, (_, i) => i + 1);
    const widths = g.cast(g.unsqueeze(g.op("Sub", [to, from]), trailing), density.dtype);
    return g.op("Div", [density, widths]);
  }, shares);
}

export const HISTOGRAMS: LoweringTable = {
  "aten.histc.default": histc,
  "aten.histogram.bin_ct": histogram,
  "aten.histogram.bins_tensor": histogram,
  "aten.histogramdd.default": histogramdd,
  "aten.histogramdd.int_bins": histogramdd,
  "aten.histogramdd.TensorList_bins": histogramdd,
  "aten._histogramdd_bin_edges.default": histogramddEdges,
  "aten._histogramdd_from_bin_cts.default": histogramddCounts,
  "aten._histogramdd_from_bin_tensors.default": histogramddCounts,
};

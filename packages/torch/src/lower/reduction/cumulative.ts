import { type Dim, sub } from "../../graph/sym.ts";
import { positions } from "../core/arange.ts";
import { countedLoops } from "../core/counted-loop.ts";
import type { Emitter } from "../core/emitter.ts";
import { rejectBytes } from "../core/fitting.ts";
import { all, type Lowering, type LoweringTable } from "../core/lowering.ts";
import type { OpNode } from "../core/op-node.ts";
import { isFloat, normalizeAxis, type Tensor, type Val } from "../core/tensor.ts";
import { unsupported } from "../core/unsupported.ts";
import { logAddExp } from "../pointwise/exponential.ts";
import { atLeastOneDim } from "../shape/element-scatter.ts";
import { slice } from "../shape/slicing.ts";

const END = Number.MAX_SAFE_INTEGER;

type Combine = (g: Emitter, left: readonly Val[], right: readonly Val[]) => Val[];

interface Scan {
  readonly axis: number;
  readonly size: Dim;
  /** Combines what is known of a stretch with what is known of the stretch behind it. */
  readonly combine: Combine;
}

/** Running totals of an associative operation in log2(size) steps: each doubles the stretch that an element stands for. */
function scan(g: Emitter, start: readonly Val[], { axis, size, combine }: Scan): readonly Val[] {
  if (typeof size !== "number") return scanByTurns(g, start, { axis, size, combine });
  let totals = start;
  for (let width = 1; width < size; width *= 2) {
    const head = totals.map((val) => slice(g, val, { axis, start: 0, end: width }));
    const left = totals.map((val) => slice(g, val, { axis, start: 0, end: size - width }));
    const right = totals.map((val) => slice(g, val, { axis, start: width, end: END }));
    totals = combine(g, left, right).map((val, i) => g.op("Concat", [head[i]!, val], { axis }));
  }
  return totals;
}

/** The same for a size that is known when it runs. */
function scanByTurns(g: Emitter, start: readonly Val[], { axis, size, combine }: Scan): readonly Val[] {
  const widths = g.ints(Array.from({ length: 48 }, (_, i) => 2 ** i));
  const total = g.number(size, "int64");
  const isStep = g.cast(g.op("Less", [widths, total]), "int64");
  const count = g.op("ReduceSum", [isStep, g.ints([0])], { keepdims: 0 });
  return countedLoops(g, { count, initial: start }, (inner, turn, totals) => {
    const width = inner.unsqueeze(inner.op("Gather", [widths, turn]), [0]);
    const rest = inner.op("Sub", [inner.unsqueeze(total, [0]), width]);
    const [zero, end, at] = [inner.ints([0]), inner.ints([END]), inner.ints([axis])];
    const cut = (from: Val, to: Val): Val[] => totals.map((val) => inner.op("Slice", [val, from, to, at]));
    const [head, left, right] = [cut(zero, width), cut(zero, rest), cut(width, end)];
    return combine(inner, left, right).map((val, i) => inner.op("Concat", [head[i]!, val], { axis }));
  });
}

/** The operand in the result's dtype with at least one dimension, and the axis with its size. */
function alongOne(node: OpNode, g: Emitter): { x: Tensor; axis: number; size: Dim } {
  const self = atLeastOneDim(g, node.tensor("self"));
  const axis = normalizeAxis(node.int("dim"), self.dims.length);
  return { x: { ...self, ...g.cast(self, node.out().dtype) }, axis, size: self.dims[axis]! };
}

/** aten::cumprod(Tensor self, int dim, *, ScalarType? dtype=None) -> Tensor */
export const cumprod: Lowering = (node, g) => {
  const { x, axis, size } = alongOne(node, g);
  const combine: Combine = (at, [left], [right]) => [at.op("Mul", [left!, right!])];
  return g.reshape(scan(g, [x], { axis, size, combine })[0]!, node.out().dims);
};

/** aten::logcumsumexp(Tensor self, int dim) -> Tensor */
export const logcumsumexp: Lowering = (node, g) => {
  const { x, axis, size } = alongOne(node, g);
  const combine: Combine = (at, [left], [right]) => [logAddExp(at, left!, right!)];
  return g.reshape(scan(g, [x], { axis, size, combine })[0]!, node.out().dims);
};

/**
 * aten::cummax(Tensor self, int dim) -> (Tensor values, Tensor indices)
 * aten::cummin(Tensor self, int dim) -> (Tensor values, Tensor indices)
 *
 * Of equal values the last, and NaN wins.
 */
function cumulativeExtreme(type: "GreaterOrEqual" | "LessOrEqual"): Lowering {
  return (node, g) => {
    const self = atLeastOneDim(g, node.tensor("self"));
    const axis = normalizeAxis(node.int("dim"), self.dims.length);
    const size = self.dims[axis]!;
    const dtype = self.dtype === "bool" ? "int32" : self.dtype;
    const shape = self.dims.map((_, i) => (i === axis ? size : 1));
    const start = [g.cast(self, dtype), g.expand(g.reshape(positions(g, size), shape), self.dims)];
    const combine: Combine = (at, left, right) => {
      const isNext = laterWins(at, type, [left[0]!, right[0]!]);
      return left.map((val, i) => at.where(isNext, right[i]!, val));
    };
    const results = scan(g, start, { axis, size, combine });
    return results.map((val, i) => (node.isUsed(i) ? g.reshape(val, node.out(i).dims) : undefined));
  };
}

function laterWins(g: Emitter, type: string, [left, right]: readonly [Val, Val]): Val {
  const wins = g.op(type, [right, left]);
  if (!isFloat(left.dtype)) return wins;
  const stays = g.op("And", [wins, g.op("Not", [g.op("IsNaN", [left])])]);
  return g.op("Or", [g.op("IsNaN", [right]), stays]);
}

/** Everything but the first along an axis, and everything but the last. */
function neighbours(g: Emitter, x: Val, { axis, size }: { axis: number; size: Dim }): [Val, Val] {
  return [slice(g, x, { axis, start: 1, end: END }), slice(g, x, { axis, start: 0, end: sub(size, 1) })];
}

/** aten::diff(Tensor self, int n=1, int dim=-1, Tensor? prepend=None, Tensor? append=None) -> Tensor */
export const diff: Lowering = (node, g) => {
  const { dtype } = node.out();
  const self = node.tensor("self");
  if (node.int("n") === 0) return self;
  const axis = normalizeAxis(node.int("dim"), self.dims.length);
  const parts = ["prepend", "self", "append"].flatMap((name) => node.optionalTensor(name) ?? []);
  let x = g.cast(parts[0]!, dtype);
  if (parts.length > 1) {
    x = g.op(
      "Concat",
      parts.map((part) => g.cast(part, dtype)),
      { axis },
    );
  }
  let size = parts.map((part) => part.dims[axis]!).reduce((a, b) => sub(a, sub(0, b)));
  for (let i = 0; i < node.int("n"); i++) {
    x = g.op(dtype === "bool" ? "Xor" : "Sub", neighbours(g, x, { axis, size }));
    size = sub(size, 1);
  }
  return x;
};

/**
 * aten::trapezoid.x(Tensor y, Tensor x, *, int dim=-1) -> Tensor
 * aten::cumulative_trapezoid.dx(Tensor y, *, Scalar dx=1, int dim=-1) -> Tensor
 * aten::cumulative_trapezoid.x(Tensor y, Tensor x, *, int dim=-1) -> Tensor
 * aten::trapezoid.dx(Tensor y, *, Scalar dx=1, int dim=-1) -> Tensor
 * aten::trapz.dx(Tensor y, *, float dx=1., int dim=-1) -> Tensor
 * aten::trapz.x(Tensor y, Tensor x, *, int dim=-1) -> Tensor
 *
 * The cumulative forms keep the running sums.
 */
function trapezoid(isCumulative: boolean): Lowering {
  return (node, g) => {
    const { dtype, dims } = node.out();
    const y = node.tensor("y");
    const axis = normalizeAxis(node.int("dim"), y.dims.length);
    const size = y.dims[axis]!;
    rejectBytes([y]);
    if (node.has("x")) rejectBytes([node.tensor("x")]);
    if (size === 0) return g.expand(g.scalar(dtype, 0), dims);
    const sums = g.op("Add", neighbours(g, g.cast(y, dtype), { axis, size }));
    const width = node.has("x")
      ? widths(g, node.tensor("x"), { y, axis, dtype })
      : g.as(node.scalar("dx"), dtype);
    const areas = g.op("Div", [g.op("Mul", [sums, width]), g.scalar(dtype, 2)]);
    const at = node.has("x") ? Math.max(node.tensor("x").dims.length - y.dims.length, 0) + axis : axis;
    return isCumulative
      ? g.op("CumSum", [areas, g.scalar("int64", at)])
      : g.op("ReduceSum", [areas, g.ints([at])], { keepdims: 0 });
  };
}

/** Distances between neighbours of `x`, which lies along `axis` of `y` when it has one dimension. */
function widths(
  g: Emitter,
  x: Tensor,
  { y, axis, dtype }: { y: Tensor; axis: number; dtype: Val["dtype"] },
): Val {
  const rank = y.dims.length;
  if (x.dims.length > rank) return unsupported("the positions have more dimensions than the values");
  const dims =
    x.dims.length === 1
      ? y.dims.map((_, i) => (i === axis ? x.dims[0]! : 1))
      : [...Array.from({ length: rank - x.dims.length }, () => 1), ...x.dims];
  return g.op("Sub", neighbours(g, g.reshape(g.cast(x, dtype), dims), { axis, size: dims[axis]! }));
}

/** aten::cumsum(Tensor self, int dim, *, ScalarType? dtype=None) -> Tensor */
export const cumsum: Lowering = (node, g) => {
  const self = node.tensor("self");
  const x = g.cast(self, node.out().dtype);
  if (self.dims.length === 0) return x;
  return g.op("CumSum", [x, g.scalar("int64", normalizeAxis(node.int("dim"), self.dims.length))]);
};

export const CUMULATIVE: LoweringTable = {
  "aten.cumprod.default": cumprod,
  "aten.logcumsumexp.default": logcumsumexp,
  "aten.cummax.default": cumulativeExtreme("GreaterOrEqual"),
  "aten.cummin.default": cumulativeExtreme("LessOrEqual"),
  "aten.diff.default": diff,
  ...all("trapezoid", trapezoid(false), ["x", "dx"]),
  ...all("trapz", trapezoid(false), ["x", "dx"]),
  ...all("cumulative_trapezoid", trapezoid(true), ["x", "dx"]),
  "aten.cumsum.default": cumsum,
};

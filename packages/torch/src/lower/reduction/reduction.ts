import { product } from "../../graph/sym.ts";
import type { Emitter } from "../core/emitter.ts";
import type { Lowering, LoweringTable } from "../core/lowering.ts";
import type { OpNode } from "../core/op-node.ts";
import { isFloat, normalizeAxis, type Tensor, type Val } from "../core/tensor.ts";

/** The dimensions to reduce: all when `dim` is absent, None or empty. */
export function axesOf(node: OpNode, self: Tensor): number[] {
  const dims = node.has("dim") ? node.ints("dim") : [];
  if (self.dims.length === 0) return [];
  const all = self.dims.map((_, axis) => axis);
  return dims.length === 0 ? all : dims.map((dim) => normalizeAxis(dim, self.dims.length));
}

export function keepsDims(node: OpNode): number {
  return Number(node.has("keepdim") && node.bool("keepdim"));
}

interface Reduced {
  readonly axes: readonly number[];
  readonly keepdims: number;
}

/** Reduces over `axes`; a 0-d tensor has nothing to reduce. */
export function reduce(
  g: Emitter,
  type: string,
  x: Val,
  { axes, keepdims }: { axes: readonly number[]; keepdims: number },
): Val {
  return axes.length === 0 ? x : g.op(type, [x, g.ints(axes)], { keepdims });
}

/** The mean; NaN over nothing, which ReduceMean has as 0. */
export function reduceMean(g: Emitter, x: Tensor, how: { axes: readonly number[]; keepdims: number }): Val {
  const mean = reduce(g, "ReduceMean", x, how);
  if (!how.axes.some((axis) => x.dims[axis] === 0)) return mean;
  return g.op("Add", [mean, g.scalar(x.dtype, Number.NaN)]);
}

/** aten::sum.dim_IntList(Tensor self, int[1]? dim, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor, and mean, prod */
function arithmetic(type: string): Lowering {
  return (node, g) => {
    const self = node.tensor("self");
    const x = { ...self, ...g.cast(self, node.out().dtype) };
    const how = { axes: axesOf(node, self), keepdims: keepsDims(node) };
    return type === "ReduceMean" ? reduceMean(g, x, how) : reduce(g, type, x, how);
  };
}

/** aten::amax(Tensor self, int[1] dim=[], bool keepdim=False) -> Tensor. NaN wins. */
function extreme(type: "ReduceMax" | "ReduceMin"): Lowering {
  return (node, g) => {
    const self = node.tensor("self");
    return reduceExtreme(g, type, self, { axes: axesOf(node, self), keepdims: keepsDims(node) });
  };
}

/** ReduceMax and ReduceMin pass over NaN; PyTorch lets it win. */
export function reduceExtreme(
  g: Emitter,
  type: "ReduceMax" | "ReduceMin",
  x: Val,
  how: { axes: readonly number[]; keepdims: number },
): Val {
  const extreme = reduce(g, type, x, how);
  if (!isFloat(x.dtype) || how.axes.length === 0) return extreme;
  const hasNan = reduce(g, "ReduceMax", g.cast(g.op("IsNaN", [x]), "int32"), how);
  return g.where(hasNan, g.scalar(x.dtype, Number.NaN), extreme);
}

/** ArgMax and ArgMin, with the first NaN winning. */
function argReduce(
  g: Emitter,
  type: "ArgMax" | "ArgMin",
  x: Val,
  { axis, keepdims }: { axis: number; keepdims: number },
): Val {
  const at = g.op(type, [x], { axis, keepdims });
  if (!isFloat(x.dtype)) return at;
  const isNan = g.cast(g.op("IsNaN", [x]), "int32");
  const hasNan = reduce(g, "ReduceMax", isNan, { axes: [axis], keepdims });
  return g.where(hasNan, g.op("ArgMax", [isNan], { axis, keepdims }), at);
}

/** aten::max.dim(Tensor self, int dim, bool keepdim=False) -> (Tensor values, Tensor indices) */
function extremeWithIndex(type: "Max" | "Min"): Lowering {
  return (node, g) => {
    const self = node.tensor("self");
    if (self.dims.length === 0) return [self, g.scalar("int64", 0)];
    const axis = normalizeAxis(node.int("dim"), self.dims.length);
    const keepdims = keepsDims(node);
    const values = node.isUsed(0)
      ? reduceExtreme(g, `Reduce${type}`, self, { axes: [axis], keepdims })
      : undefined;
    return [values, node.isUsed(1) ? argReduce(g, `Arg${type}`, self, { axis, keepdims }) : undefined];
  };
}

/** aten::argmax(Tensor self, int? dim=None, bool keepdim=False) -> Tensor */
function argExtreme(type: "ArgMax" | "ArgMin"): Lowering {
  return (node, g) => {
    const self = node.tensor("self");
    if (self.dims.length === 0) return g.scalar("int64", 0);
    if (node.has("dim")) {
      return argReduce(g, type, self, {
        axis: normalizeAxis(node.int("dim"), self.dims.length),
        keepdims: keepsDims(node),
      });
    }
    const flat = g.reshape(self, [product(self.dims)]);
    return g.reshape(argReduce(g, type, flat, { axis: 0, keepdims: 0 }), node.out().dims);
  };
}

/** aten::any.dim(Tensor self, int dim, bool keepdim=False) -> Tensor */
function truth(type: "ReduceMax" | "ReduceMin"): Lowering {
  return (node, g) => {
    const self = node.tensor("self");
    const bits = g.cast(g.cast(self, "bool"), "int32");
    return g.cast(reduce(g, type, bits, { axes: axesOf(node, self), keepdims: keepsDims(node) }), "bool");
  };
}

/** aten::var.correction(Tensor self, int[1]? dim=None, *, Scalar? correction=None, bool keepdim=False) -> Tensor */
export function variance(finish: "var" | "std"): Lowering {
  return (node, g) => {
    const self = node.tensor("self");
    const axes = axesOf(node, self);
    const correction = node.has("unbiased")
      ? Number(node.bool("unbiased"))
      : (node.optionalFloat("correction") ?? 1);
    const mean = reduce(g, "ReduceMean", self, { axes, keepdims: 1 });
    const centred = g.op("Sub", [self, mean]);
    const sum = reduce(g, "ReduceSum", g.op("Mul", [centred, centred]), { axes, keepdims: keepsDims(node) });
    const count = g.number(product(axes.map((axis) => self.dims[axis]!)), self.dtype);
    const degrees = g.op("Max", [
      g.op("Sub", [count, g.scalar(self.dtype, correction)]),
      g.scalar(self.dtype, 0),
    ]);
    const result = g.op("Div", [sum, degrees]);
    return finish === "std" ? g.op("Sqrt", [result]) : result;
  };
}

/** aten::logsumexp(Tensor self, int[1] dim, bool keepdim=False) -> Tensor */
export const logsumexp: Lowering = (node, g) => {
  const self = g.typed(g.cast(node.tensor("self"), node.out().dtype), node.tensor("self").dims);
  return reduce(g, "ReduceLogSumExp", self, { axes: axesOf(node, self), keepdims: keepsDims(node) });
};

/** aten::cumsum(Tensor self, int dim, *, ScalarType? dtype=None) -> Tensor */
export const cumsum: Lowering = (node, g) => {
  const self = node.tensor("self");
  const x = g.cast(self, node.out().dtype);
  if (self.dims.length === 0) return x;
  return g.op("CumSum", [x, g.scalar("int64", normalizeAxis(node.int("dim"), self.dims.length))]);
};

/** aten::linalg_vector_norm(Tensor self, Scalar ord=2, int[1]? dim=None, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor */
export const vectorNorm: Lowering = (node, g) => {
  const self = node.tensor("self");
  const { dtype } = node.out();
  const ord = node.has("ord") ? node.float("ord") : node.has("p") ? node.float("p") : 2;
  const x = g.op("Abs", [g.cast(self, dtype)]);
  const how = { axes: axesOf(node, self), keepdims: keepsDims(node) };
  return magnitude(g, x, { ord, ...how });
};

/** The norm of order `ord` of values that are not negative. */
export function magnitude(g: Emitter, x: Val, { ord, ...how }: Reduced & { readonly ord: number }): Val {
  const { dtype } = x;
  if (ord === 1) return reduce(g, "ReduceSum", x, how);
  if (ord === 2) return g.op("Sqrt", [reduce(g, "ReduceSum", g.op("Mul", [x, x]), how)]);
  if (ord === Number.POSITIVE_INFINITY) return reduceExtreme(g, "ReduceMax", x, how);
  if (ord === Number.NEGATIVE_INFINITY) return reduceExtreme(g, "ReduceMin", x, how);
  if (ord === 0) return reduce(g, "ReduceSum", g.cast(g.cast(x, "bool"), dtype), how);
  const power = reduce(g, "ReduceSum", g.op("Pow", [x, g.scalar(dtype, ord)]), how);
  return g.op("Pow", [power, g.scalar(dtype, 1 / ord)]);
}

const FULL_AND_DIM = ["default", "dim_IntList"] as const;

function each(op: string, overloads: readonly string[], lowering: Lowering): LoweringTable {
  return Object.fromEntries(overloads.map((overload) => [`aten.${op}.${overload}`, lowering]));
}

export const REDUCTION: LoweringTable = {
  ...each("sum", FULL_AND_DIM, arithmetic("ReduceSum")),
  ...each("mean", ["default", "dim"], arithmetic("ReduceMean")),
  ...each("prod", ["default", "dim_int"], arithmetic("ReduceProd")),
  ...each("any", ["default", "dim", "dims"], truth("ReduceMax")),
  ...each("all", ["default", "dim", "dims"], truth("ReduceMin")),
  ...each("var", ["default", "dim", "correction"], variance("var")),
  ...each("std", ["default", "dim", "correction"], variance("std")),
  "aten.amax.default": extreme("ReduceMax"),
  "aten.amin.default": extreme("ReduceMin"),
  "aten.max.default": extreme("ReduceMax"),
  "aten.min.default": extreme("ReduceMin"),
  "aten.max.dim": extremeWithIndex("Max"),
  "aten.min.dim": extremeWithIndex("Min"),
  "aten.argmax.default": argExtreme("ArgMax"),
  "aten.argmin.default": argExtreme("ArgMin"),
  "aten.logsumexp.default": logsumexp,
  "aten.cumsum.default": cumsum,
  "aten.linalg_vector_norm.default": vectorNorm,
  "aten.norm.ScalarOpt_dim": vectorNorm,
};

import type { DType } from "../../dtype.ts";
import type { TensorType } from "../../graph/ir.ts";
import { type Dim, sub } from "../../graph/sym.ts";
import { unsupportedOp } from "../unsupported-op.ts";
import { axisOf, broadcast, numeric } from "./dims.ts";
import { floatOf, type ShapeArgs, type ShapeFn, type ShapeTable, sumOf, tensorType } from "./shape-args.ts";

/** The shape after reducing the axes of argument `dim`: all when it is absent, None or empty. */
function reducedDims(args: ShapeArgs, name = "dim"): Dim[] {
  const { dims } = args.tensor("self");
  const given = args.has(name) ? args.ints(name) : [];
  const axes = new Set(given.length === 0 ? dims.keys() : given.map((axis) => axisOf(axis, dims.length)));
  const isKept = args.bool("keepdim");
  return dims.flatMap((dim, axis) => (axes.has(axis) ? (isKept ? [1] : []) : [dim]));
}

const reduced =
  (dtypeOf: (dtype: DType) => DType): ShapeFn =>
  (args) =>
    tensorType(args.dtype() ?? dtypeOf(args.tensor("self").dtype), reducedDims(args));

/** Values and their positions. */
const withIndices: ShapeFn = (args) => {
  const dims = reducedDims(args);
  return [tensorType(args.tensor("self").dtype, dims), tensorType("int64", dims)];
};

const momentsPair: ShapeFn = (args) => {
  const type = tensorType(floatOf(args.tensor("self").dtype), reducedDims(args));
  return [type, type];
};

const alongAxis =
  (dtypeOf: (dtype: DType) => DType): ShapeFn =>
  (args) => {
    const { dtype, dims } = args.tensor("self");
    return tensorType(args.dtype() ?? dtypeOf(dtype), dims);
  };

const keep = (dtype: DType): DType => dtype;

const topk: ShapeFn = (args) => {
  const { dtype, dims } = args.tensor("self");
  const at = axisOf(args.int("dim"), dims.length);
  const found = dims.map((dim, axis) => (axis === at ? args.size("k") : dim));
  return [tensorType(dtype, found), tensorType("int64", found)];
};

const sorted: ShapeFn = (args) => {
  const { dtype, dims } = args.tensor("self");
  return [tensorType(dtype, dims), tensorType("int64", dims)];
};

const cumulativePair: ShapeFn = sorted;

const softmax: ShapeFn = (args) => {
  const { dtype, dims } = args.tensor("self");
  return tensorType(args.dtype() ?? (args.bool("half_to_float") ? "float32" : floatOf(dtype)), dims);
};

const allAxes: ShapeFn = (args) => tensorType(args.tensor("self").dtype, []);

/** The smallest and the largest, without `dim` of all elements. */
const aminmax: ShapeFn = (args) => {
  const type = tensorType(args.tensor("self").dtype, reducedDims(args));
  return [type, type];
};

/** One result for each quantile that is asked for, in front. */
const quantile: ShapeFn = (args) => {
  const value = args.get("q");
  const lead = value.kind === "tensor" ? value.type.dims : [];
  return tensorType(args.tensor("self").dtype, [...lead, ...reducedDims(args)]);
};

/** Along `dim`, which is one shorter afterwards, or gone. */
const trapezoids =
  (isCumulative: boolean): ShapeFn =>
  (args) => {
    const points = args.has("x") ? args.tensor("x").dims : [];
    const dims = args.tensor("y").dims;
    const at = axisOf(args.int("dim"), dims.length);
    const own = broadcast(dims, points.length > 1 || points.length === 0 ? points : aligned(dims, at));
    const names = args.has("x") ? ["y", "x"] : ["y"];
    return tensorType(
      floatOf(args.promoted(...names)),
      own.flatMap((dim, axis) => (axis === at ? (isCumulative ? [sub(dim, 1)] : []) : [dim])),
    );
  };

/** A vector of positions lies along the axis. */
function aligned(dims: readonly Dim[], at: number): Dim[] {
  return dims.map((dim, axis) => (axis === at ? dim : 1));
}

/** Along `axis` one result for each segment. */
const perSegment: ShapeFn = (args) => {
  const { dtype, dims } = args.tensor("data");
  const at = axisOf(args.int("axis"), dims.length);
  const count = args.has("lengths")
    ? args.tensor("lengths").dims.at(-1)!
    : sub(args.tensor("offsets").dims.at(-1)!, 1);
  return tensorType(
    dtype,
    dims.map((dim, axis) => (axis === at ? count : dim)),
  );
};

/** The edges of bins that are given as numbers or as edges, one list for each dimension that is counted along. */
function edgesOf(args: ShapeArgs, dimensions: number): TensorType[] {
  const { dtype } = args.tensor("self");
  const bins = args.get("bins");
  if (bins.kind === "tensor" && bins.number === undefined) return [tensorType(dtype, bins.type.dims)];
  if (bins.kind === "list" && bins.items.some((item) => item.kind === "tensor" && item.number === undefined))
    return args.tensors("bins").map(({ dims }) => tensorType(dtype, dims));
  return args.each("bins", dimensions).map((count) => tensorType(dtype, [count + 1]));
}

const counted =
  (parts: "all" | "counts" | "edges"): ShapeFn =>
  (args) => {
    const { dtype, dims } = args.tensor("self");
    const edges = edgesOf(args, args.isTarget("histogram") ? 1 : numeric(dims.at(-1) ?? 1));
    const counts = tensorType(
      dtype,
      edges.map((edge) => sub(edge.dims[0]!, 1)),
    );
    if (parts === "counts") return counts;
    return parts === "edges" ? edges : [counts, ...edges];
  };

export const REDUCTIONS: ShapeTable = {
  sum: reduced(sumOf),
  nansum: reduced(sumOf),
  prod: reduced(sumOf),
  mean: reduced(floatOf),
  std: reduced(floatOf),
  var: reduced(floatOf),
  logsumexp: reduced(floatOf),
  norm: reduced(floatOf),
  frobenius_norm: reduced(floatOf),
  linalg_vector_norm: reduced(floatOf),
  linalg_norm: reduced(floatOf),
  amax: reduced(keep),
  amin: reduced(keep),
  // Of bytes PyTorch makes bytes.
  all: reduced((dtype) => (dtype === "uint8" ? dtype : "bool")),
  any: reduced((dtype) => (dtype === "uint8" ? dtype : "bool")),
  argmax: reduced(() => "int64"),
  argmin: reduced(() => "int64"),
  count_nonzero: reduced(() => "int64"),
  "max.dim": withIndices,
  "min.dim": withIndices,
  "median.dim": withIndices,
  mode: withIndices,
  "max.default": allAxes,
  "min.default": allAxes,
  var_mean: momentsPair,
  std_mean: momentsPair,
  cumsum: alongAxis(sumOf),
  cumprod: alongAxis(sumOf),
  logcumsumexp: alongAxis(floatOf),
  cummax: cumulativePair,
  cummin: cumulativePair,
  softmax,
  _softmax: softmax,
  log_softmax: softmax,
  _log_softmax: softmax,
  topk,
  sort: sorted,
  argsort: alongAxis(() => "int64"),
  histc: (args) => tensorType(args.tensor("self").dtype, [args.int("bins")]),
  hash_tensor: reduced(() => "uint64"),
  segment_reduce: perSegment,
  histogram: counted("all"),
  histogramdd: () => unsupportedOp("it gives a list beside a tensor; export the model with torch.export"),
  _histogramdd_bin_edges: counted("edges"),
  _histogramdd_from_bin_cts: counted("counts"),
  _histogramdd_from_bin_tensors: counted("counts"),
  msort: (args) => args.tensor("self"),
  aminmax,
  nanmean: reduced(floatOf),
  kthvalue: withIndices,
  "nanmedian.dim": withIndices,
  "nanmedian.default": allAxes,
  "median.default": allAxes,
  quantile,
  nanquantile: quantile,
  trapezoid: trapezoids(false),
  trapz: trapezoids(false),
  cumulative_trapezoid: trapezoids(true),
  _safe_softmax: softmax,
};

import { product } from "../../graph/sym.ts";
import { needLabel } from "../../onnx/input-fault.ts";
import type { Emitter } from "../core/emitter.ts";
import { all, type Lowering, type LoweringTable } from "../core/lowering.ts";
import { isFloat, normalizeAxis, type Tensor, type Val } from "../core/tensor.ts";
import { axesOf, keepsDims, reduce, reduceSome } from "./reduce.ts";

/** aten::aminmax(Tensor self, *, int? dim=None, bool keepdim=False) -> (Tensor min, Tensor max) */
export const aminmax: Lowering = (node, g) => {
  const self = node.tensor("self");
  const axes = node.has("dim")
    ? self.dims.length === 0
      ? []
      : [normalizeAxis(node.int("dim"), self.dims.length)]
    : self.dims.map((_, axis) => axis);
  const how = { axes, keepdims: keepsDims(node) };
  return (["ReduceMin", "ReduceMax"] as const).map((type, i) => {
    if (!node.isUsed(i)) return undefined;
    const found = reduceExtreme(g, type, self, how);
    return node.has("dim") ? found : g.reshape(found, node.out(i).dims);
  });
};

/**
 * aten::amax(Tensor self, int[1] dim=[], bool keepdim=False) -> Tensor
 * aten::amin(Tensor self, int[1] dim=[], bool keepdim=False) -> Tensor
 * aten::max(Tensor self) -> Tensor
 * aten::min(Tensor self) -> Tensor
 *
 * NaN wins.
 */
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
  x: Val | Tensor,
  how: { axes: readonly number[]; keepdims: number },
): Val {
  const extreme = "dims" in x ? reduceSome(g, type, x, how) : reduce(g, type, x, how);
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
  // Of nothing there is no largest: ONNX Runtime notices, and the name tells in whose words.
  const place = (kind: typeof type, of: Val): Val =>
    g.labelled(needLabel(g.target, "something"), () => g.op(kind, [of], { axis, keepdims }));
  const at = place(type, x);
  if (!isFloat(x.dtype)) return at;
  const isNan = g.cast(g.op("IsNaN", [x]), "int32");
  const hasNan = reduce(g, "ReduceMax", isNan, { axes: [axis], keepdims });
  return g.where(hasNan, place("ArgMax", isNan), at);
}

/**
 * aten::max.dim(Tensor self, int dim, bool keepdim=False) -> (Tensor values, Tensor indices)
 * aten::min.dim(Tensor self, int dim, bool keepdim=False) -> (Tensor values, Tensor indices)
 */
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

/**
 * aten::argmax(Tensor self, int? dim=None, bool keepdim=False) -> Tensor
 * aten::argmin(Tensor self, int? dim=None, bool keepdim=False) -> Tensor
 */
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

/**
 * aten::any.dim(Tensor self, int dim, bool keepdim=False) -> Tensor
 * aten::all(Tensor self) -> Tensor
 * aten::all.dim(Tensor self, int dim, bool keepdim=False) -> Tensor
 * aten::all.dims(Tensor self, int[]? dim=None, bool keepdim=False) -> Tensor
 * aten::any(Tensor self) -> Tensor
 * aten::any.dims(Tensor self, int[]? dim=None, bool keepdim=False) -> Tensor
 */
function truth(type: "ReduceMax" | "ReduceMin"): Lowering {
  return (node, g) => {
    const self = node.tensor("self");
    const bits = g.cast(g.cast(self, "bool"), "int32");
    const found = reduce(g, type, bits, { axes: axesOf(node, self), keepdims: keepsDims(node) });
    // Of nothing they are the lowest and the highest integer: nothing is any, and all of nothing holds.
    return type === "ReduceMax"
      ? g.op("Greater", [found, g.scalar("int32", 0)])
      : g.op("Not", [g.op("Equal", [found, g.scalar("int32", 0)])]);
  };
}

export const EXTREMES: LoweringTable = {
  "aten.aminmax.default": aminmax,
  ...all("any", truth("ReduceMax"), ["default", "dim", "dims"]),
  ...all("all", truth("ReduceMin"), ["default", "dim", "dims"]),
  "aten.amax.default": extreme("ReduceMax"),
  "aten.amin.default": extreme("ReduceMin"),
  "aten.max.default": extreme("ReduceMax"),
  "aten.min.default": extreme("ReduceMin"),
  "aten.max.dim": extremeWithIndex("Max"),
  "aten.min.dim": extremeWithIndex("Min"),
  "aten.argmax.default": argExtreme("ArgMax"),
  "aten.argmin.default": argExtreme("ArgMin"),
};

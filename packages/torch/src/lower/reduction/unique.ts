import { type Dim, product } from "../../graph/sym.ts";
import { ordered } from "../comparison/sorting.ts";
import { arange } from "../core/arange.ts";
import type { Emitter } from "../core/emitter.ts";
import type { Lowering, LoweringTable } from "../core/lowering.ts";
import { unlessNothing } from "../core/nothing.ts";
import { requirement, withinRoom } from "../core/requirement.ts";
import { isFloat, normalizeAxis, type Tensor, type Val } from "../core/tensor.ts";

/** aten::_unique2(Tensor self, bool sorted=True, bool return_inverse=False, bool return_counts=False) -> (Tensor, Tensor, Tensor) */
export const unique: Lowering = (node, g) => {
  const self = node.tensor("self");
  const [values, inverse, counts] = isFloat(self.dtype)
    ? uniqueFloats(g, self)
    : uniqueOf(g, self, { sorted: 1 });
  const shaped = node.isUsed(1)
    ? reshapedInverse(node.bool("return_inverse"), g, { inverse: inverse!, self })
    : undefined;
  return [values, shaped, node.isUsed(2) ? (node.bool("return_counts") ? counts : g.ints([])) : undefined];
};

function reshapedInverse(
  isWanted: boolean,
  g: Emitter,
  { inverse, self }: { inverse: Val; self: Tensor },
): Val {
  return isWanted ? g.reshape(inverse, self.dims) : g.ints([]);
}

/** The same for floats, by sorting: every NaN differs from every other, which ONNX Runtime's Unique does not know. */
function uniqueFloats(g: Emitter, self: Tensor): Val[] {
  const size = product(self.dims);
  const flat = g.typed(g.reshape(self, [size]), [size]);
  const sorted = ordered(g, flat, { axis: 0, isDescending: false, count: size });
  const { values, runs, counts } = runsOf(g, sorted.values, size);
  return [values, g.op("ScatterElements", [runs, sorted.indices, runs], { axis: 0 }), counts];
}

/** Values, where each element's value is among them, and how often each occurs. */
function uniqueOf(g: Emitter, self: Tensor, attributes: Readonly<Record<string, number>>): Val[] {
  const wide = isFloat(self.dtype) ? self : g.cast(self, self.dtype === "bool" ? "int8" : "int64");
  const { axis } = attributes;
  const emit = (at: Emitter): Val[] => {
    const [values, , inverse, counts] = at.ops("Unique", [wide], { count: 4, attributes });
    return [values!, inverse!, counts!];
  };
  const [values, inverse, counts] =
    axis === undefined
      ? emit(g)
      : unlessNothing(g, {
          sizes: self.dims.filter((_, i) => i !== axis),
          empty: [
            { dtype: wide.dtype, dims: self.dims.with(axis, 0) },
            { dtype: "int64", dims: [0] },
            { dtype: "int64", dims: [0] },
          ],
          emit,
        });
  return [g.cast(values!, self.dtype), inverse!, counts!];
}

/** Different slices of floats. NaN differs from itself, which ONNX Runtime's Unique does not know: a run with one fails. */
function uniqueRows(g: Emitter, self: Tensor, axis: number): Val[] {
  const guard = requirement(g, "no NaN", g.op("IsNaN", [self]));
  // Also makes the two zeros one.
  const checked = g.typed(g.op("Add", [self, g.cast(guard, self.dtype)]), self.dims);
  return uniqueOf(g, checked, { sorted: 1, axis });
}

/** aten::unique_dim(Tensor self, int dim, bool sorted=True, bool return_inverse=False, bool return_counts=False) -> (Tensor, Tensor, Tensor) */
export const uniqueDim: Lowering = (node, g) => {
  const self = node.tensor("self");
  const axis = normalizeAxis(node.int("dim"), self.dims.length);
  const found = isFloat(self.dtype) ? uniqueRows(g, self, axis) : uniqueOf(g, self, { sorted: 1, axis });
  const wanted = [true, node.bool("return_inverse"), node.bool("return_counts")];
  return found.map((val, i) => (node.isUsed(i) ? (wanted[i] ? val : g.ints([])) : undefined));
};

/** aten::bincount(Tensor self, Tensor? weights=None, SymInt minlength=0) -> Tensor */
export const bincount: Lowering = (node, g) => {
  const { dtype } = node.out();
  const self = g.cast(node.tensor("self"), "int64");
  const weights = node.optionalTensor("weights");
  const highest = g.op("ReduceMax", [g.op("Concat", [self, g.ints([-1])], { axis: 0 }), g.ints([0])], {
    keepdims: 0,
  });
  const size = g.op("Max", [
    g.op("Add", [highest, g.scalar("int64", 1)]),
    g.number(node.size("minlength"), "int64"),
  ]);
  const isNegative = requirement(g, "numbers from 0 on", g.op("Less", [self, g.scalar("int64", 0)]));
  const length = g.op("Add", [withinRoom(g, size), isNegative]);
  const none = g.op("Expand", [g.scalar(dtype, 0), g.unsqueeze(length, [0])]);
  const each = g.expand(weights === undefined ? g.scalar(dtype, 1) : g.cast(weights, dtype), [
    node.tensor("self").dims[0]!,
  ]);
  return g.op("ScatterElements", [none, self, each], { axis: 0, reduction: "add" });
};

/** aten::unique_consecutive(Tensor self, bool return_inverse=False, bool return_counts=False, int? dim=None) -> (Tensor, Tensor, Tensor) */
export const uniqueConsecutive: Lowering = (node, g) => {
  const self = node.tensor("self");
  const isWhole = !node.has("dim") || self.dims.length < 2;
  const size = product(self.dims);
  const { values, runs, counts } = isWhole
    ? runsOf(g, g.reshape(self, [size]), size)
    : rowRuns(g, self, normalizeAxis(node.int("dim"), self.dims.length));
  const inverse = (): Val => {
    if (!node.bool("return_inverse")) return g.ints([]);
    return isWhole ? g.reshape(runs, self.dims) : runs;
  };
  return [
    values,
    node.isUsed(1) ? inverse() : undefined,
    node.isUsed(2) ? (node.bool("return_counts") ? counts : g.ints([])) : undefined,
  ];
};

interface Runs {
  readonly values: Val;
  readonly runs: Val;
  readonly counts: Val;
}

/** The stretches of equal slices along one of several dimensions. */
function rowRuns(g: Emitter, self: Tensor, axis: number): Runs {
  const perm = self.dims.map((_, i) => (i === 0 ? axis : i === axis ? 0 : i));
  const others = product(self.dims.filter((_, i) => i !== axis));
  const rows = g.reshape(g.transpose(self, perm), [self.dims[axis]!, others]);
  const { values, ...rest } = runsOf(g, rows, self.dims[axis]!, (differs) => {
    const most = g.op("ReduceMax", [g.cast(differs, "int64"), g.ints([1])], { keepdims: 0 });
    return g.cast(most, "bool");
  });
  const sizes = perm.slice(1).map((i) => self.dims[i]!);
  const shape = g.op("Concat", [g.op("Shape", [values], { start: 0, end: 1 }), g.shape(sizes)], { axis: 0 });
  return { ...rest, values: g.transpose(g.op("Reshape", [values, shape]), perm) };
}

/** The stretches of equal values of a 1-d tensor, or of rows: their values, which one each element is in, and their lengths. */
function runsOf(g: Emitter, flat: Val, size: Dim, differ = (differs: Val): Val => differs): Runs {
  const end = g.ints([Number.MAX_SAFE_INTEGER]);
  const before = g.op("Slice", [flat, g.ints([0]), g.ints([-1]), g.ints([0])]);
  const after = g.op("Slice", [flat, g.ints([1]), end, g.ints([0])]);
  const changes = differ(g.op("Not", [g.op("Equal", [before, after])]));
  const marked = g.op("Concat", [g.constant("bool", [1], [1]), changes], { axis: 0 });
  // Nothing begins where there is nothing.
  const starts = g.op("Slice", [marked, g.ints([0]), g.shape([size]), g.ints([0])]);
  const runs = g.op("Sub", [
    g.op("CumSum", [g.cast(starts, "int64"), g.scalar("int64", 0)]),
    g.scalar("int64", 1),
  ]);
  const first = g.op("Compress", [arange(g, size), starts], { axis: 0 });
  const next = g.op("Slice", [first, g.ints([1]), end, g.ints([0])]);
  const bounds = g.op("Concat", [next, g.shape([size])], { axis: 0 });
  const ends = g.op("Slice", [bounds, g.ints([0]), g.op("Shape", [first]), g.ints([0])]);
  return { values: g.op("Compress", [flat, starts], { axis: 0 }), runs, counts: g.op("Sub", [ends, first]) };
}

export const UNIQUE: LoweringTable = {
  "aten._unique2.default": unique,
  "aten.unique_dim.default": uniqueDim,
  "aten.unique_consecutive.default": uniqueConsecutive,
  "aten.bincount.default": bincount,
};

import { product } from "../../graph/sym.ts";
import { arange } from "../core/arange.ts";
import type { Emitter } from "../core/emitter.ts";
import type { Lowering, LoweringTable } from "../core/lowering.ts";
import { unlessNothing } from "../core/nothing.ts";
import { isFloat, normalizeAxis, type Tensor, type Val } from "../core/tensor.ts";
import { unsupported } from "../core/unsupported.ts";

/** aten::_unique2(Tensor self, bool sorted=True, bool return_inverse=False, bool return_counts=False) -> (Tensor, Tensor, Tensor) */
export const unique: Lowering = (node, g) => {
  const self = node.tensor("self");
  if (isFloat(self.dtype))
    return unsupported("unique of floats: NaN differs from itself, which ONNX Runtime does not know");
  const [values, inverse, counts] = uniqueOf(g, self, { sorted: 1 });
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

/** Values, where each element's value is among them, and how often each occurs. */
function uniqueOf(g: Emitter, self: Tensor, attributes: Readonly<Record<string, number>>): Val[] {
  const dtype = self.dtype === "bool" || self.dtype === "uint8" ? "int8" : "int64";
  const wide = g.cast(self, self.dtype === "uint8" ? "int64" : dtype);
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

/** aten::unique_dim(Tensor self, int dim, bool sorted=True, bool return_inverse=False, bool return_counts=False) -> (Tensor, Tensor, Tensor) */
export const uniqueDim: Lowering = (node, g) => {
  const self = node.tensor("self");
  if (isFloat(self.dtype))
    return unsupported("unique of floats: NaN differs from itself, which ONNX Runtime does not know");
  const axis = normalizeAxis(node.int("dim"), self.dims.length);
  const found = uniqueOf(g, self, { sorted: 1, axis });
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
  const bins = g.op("Range", [g.scalar("int64", 0), size, g.scalar("int64", 1)]);
  const isHit = g.cast(g.op("Equal", [g.unsqueeze(bins, [1]), g.unsqueeze(self, [0])]), dtype);
  const counted = weights === undefined ? isHit : g.op("Mul", [isHit, g.cast(weights, dtype)]);
  return g.op("ReduceSum", [counted, g.ints([1])], { keepdims: 0 });
};

/** aten::unique_consecutive(Tensor self, bool return_inverse=False, bool return_counts=False, int? dim=None) -> (Tensor, Tensor, Tensor) */
export const uniqueConsecutive: Lowering = (node, g) => {
  const self = node.tensor("self");
  if (node.has("dim") && self.dims.length !== 1) return unsupported("runs along one of several dimensions");
  const size = product(self.dims);
  const flat = g.reshape(self, [size]);
  const before = g.op("Slice", [flat, g.ints([0]), g.ints([-1]), g.ints([0])]);
  const after = g.op("Slice", [flat, g.ints([1]), g.ints([Number.MAX_SAFE_INTEGER]), g.ints([0])]);
  const changes = g.op("Not", [g.op("Equal", [before, after])]);
  const starts = g.op("Concat", [g.constant("bool", [1], [1]), changes], { axis: 0 });
  const runs = g.op("Sub", [
    g.op("CumSum", [g.cast(starts, "int64"), g.scalar("int64", 0)]),
    g.scalar("int64", 1),
  ]);
  const first = g.op("Compress", [arange(g, size), starts], { axis: 0 });
  const ends = g.op(
    "Concat",
    [g.op("Slice", [first, g.ints([1]), g.ints([Number.MAX_SAFE_INTEGER]), g.ints([0])]), g.shape([size])],
    { axis: 0 },
  );
  return [
    g.op("Compress", [flat, starts], { axis: 0 }),
    node.isUsed(1) ? reshapedInverse(node.bool("return_inverse"), g, { inverse: runs, self }) : undefined,
    node.isUsed(2) ? (node.bool("return_counts") ? g.op("Sub", [ends, first]) : g.ints([])) : undefined,
  ];
};

export const UNIQUE: LoweringTable = {
  "aten._unique2.default": unique,
  "aten.unique_dim.default": uniqueDim,
  "aten.unique_consecutive.default": uniqueConsecutive,
  "aten.bincount.default": bincount,
};

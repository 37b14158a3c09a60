import { product } from "../../graph/sym.ts";
import { arange } from "../core/arange.ts";
import type { Emitter } from "../core/emitter.ts";
import { all, type Lowering, type LoweringTable } from "../core/lowering.ts";
import { isFloat, type Tensor, type Val } from "../core/tensor.ts";
import { unsupported } from "../core/unsupported.ts";

/** Ops whose results have sizes that depend on values. The program names these sizes; ONNX measures them at run time. */

/** Positions of what is not zero, [count, rank]. A 0-d tensor has positions without coordinates. */
function positions(g: Emitter, self: Tensor): Val {
  const isSet = g.cast(self, "bool");
  if (self.dims.length > 0) return g.transpose(g.op("NonZero", [isSet]), [1, 0]);
  const found = g.transpose(g.op("NonZero", [g.reshape(isSet, [1])]), [1, 0]);
  return g.op("Slice", [found, g.ints([0]), g.ints([0]), g.ints([1])]);
}

/** aten::nonzero(Tensor self) -> Tensor */
export const nonzero: Lowering = (node, g) => positions(g, node.tensor("self"));

/** aten::nonzero_numpy(Tensor self) -> Tensor[]: one tensor of coordinates for each dimension */
export const nonzeroNumpy: Lowering = (node, g) => {
  const self = node.tensor("self");
  const isSet = g.cast(self, "bool");
  const found = g.op("NonZero", [self.dims.length === 0 ? g.reshape(isSet, [1]) : isSet]);
  return Array.from({ length: node.outputCount }, (_, i) =>
    node.isUsed(i) ? g.op("Gather", [found, g.scalar("int64", i)], { axis: 0 }) : undefined,
  );
};

/** aten::nonzero_static(Tensor self, *, SymInt size, int fill_value=-1) -> Tensor: cut or filled up to `size` rows */
export const nonzeroStatic: Lowering = (node, g) => {
  const self = node.tensor("self");
  const size = node.size("size");
  const filler = g.expand(g.scalar("int64", node.int("fill_value")), [size, self.dims.length]);
  const rows = g.op("Concat", [positions(g, self), filler], { axis: 0 });
  return g.op("Slice", [rows, g.ints([0]), g.shape([size]), g.ints([0])]);
};

/** aten::masked_select(Tensor self, Tensor mask) -> Tensor */
export const maskedSelect: Lowering = (node, g) => {
  const [self, mask] = [node.tensor("self"), node.tensor("mask")];
  const shape = g.op("Shape", [g.op("Or", [g.cast(mask, "bool"), g.cast(zerosLike(g, self), "bool")])]);
  const flat = (val: Val): Val => g.op("Reshape", [g.op("Expand", [val, shape]), g.ints([-1])]);
  return g.op("Compress", [flat(self), flat(g.cast(mask, "bool"))], { axis: 0 });
};

function zerosLike(g: Emitter, self: Tensor): Val {
  return g.expand(g.scalar("bool", 0), self.dims);
}

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
  const [values, , inverse, counts] = g.ops("Unique", [wide], { count: 4, attributes });
  return [g.cast(values!, self.dtype), inverse!, counts!];
}

/** aten::unique_dim(Tensor self, int dim, bool sorted=True, bool return_inverse=False, bool return_counts=False) -> (Tensor, Tensor, Tensor) */
export const uniqueDim: Lowering = (node, g) => {
  const self = node.tensor("self");
  if (isFloat(self.dtype))
    return unsupported("unique of floats: NaN differs from itself, which ONNX Runtime does not know");
  const axis = node.int("dim");
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

export const DATA_DEPENDENT: LoweringTable = {
  ...all("nonzero", nonzero, ["default"]),
  "aten.argwhere.default": nonzero,
  "aten.nonzero_numpy.default": nonzeroNumpy,
  "aten.nonzero_static.default": nonzeroStatic,
  "aten.masked_select.default": maskedSelect,
  "aten._unique2.default": unique,
  "aten.unique_dim.default": uniqueDim,
  "aten.unique_consecutive.default": uniqueConsecutive,
  "aten.bincount.default": bincount,
};

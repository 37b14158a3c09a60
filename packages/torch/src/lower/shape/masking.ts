import { isAtMost } from "../../graph/bounds.ts";
import { product, sameDim } from "../../graph/sym.ts";
import type { Emitter } from "../core/emitter.ts";
import { asFittingItem } from "../core/fitting.ts";
import { all, type Lowering, type LoweringTable } from "../core/lowering.ts";
import { requirement } from "../core/requirement.ts";
import type { Tensor, Val } from "../core/tensor.ts";

const BOTH = ["Tensor", "Scalar"];

/**
 * aten::where.self(Tensor condition, Tensor self, Tensor other) -> Tensor
 * aten::where.Scalar(Tensor condition, Scalar self, Scalar other) -> Tensor
 * aten::where.ScalarOther(Tensor condition, Tensor self, Scalar other) -> Tensor
 * aten::where.ScalarSelf(Tensor condition, Scalar self, Tensor other) -> Tensor
 */
export const where: Lowering = (node, g) => {
  const { dtype } = node.out();
  return g.where(
    node.tensor("condition"),
    g.as(node.operand("self"), dtype),
    g.as(node.operand("other"), dtype),
  );
};

/**
 * aten::masked_fill.Scalar(Tensor self, Tensor mask, Scalar value) -> Tensor
 * aten::masked_fill.Tensor(Tensor self, Tensor mask, Tensor value) -> Tensor
 */
export const maskedFill: Lowering = (node, g) => {
  const { dtype } = node.out();
  return g.where(
    node.tensor("mask"),
    asFittingItem(g, node.operand("value"), dtype),
    g.as(node.operand("self"), dtype),
  );
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

/** aten::masked_scatter(Tensor self, Tensor mask, Tensor source) -> Tensor: the mask's true elements take source's, in order */
export const maskedScatter: Lowering = (node, g) => {
  const { dims, dtype } = node.out();
  const mask = g.expand(g.cast(node.tensor("mask"), "bool"), dims);
  const source = node.tensor("source");
  const flatMask = g.cast(g.reshape(mask, [product(dims)]), "int64");
  const count = product(source.dims);
  const isEnough = sameDim(count, product(dims)) || isAtMost(product(dims), count) === true;
  if (!isEnough) {
    const asked = g.op("ReduceSum", [flatMask], { keepdims: 0 });
    const guard = requirement(g, "enough elements", g.op("Greater", [asked, g.number(count, "int64")]));
    g.guards.push(guard);
  }
  const order = g.op("Sub", [g.op("CumSum", [flatMask, g.scalar("int64", 0)]), g.scalar("int64", 1)]);
  // One more element, so that there is something to gather where nothing is masked.
  const values = g.op("Concat", [g.cast(g.reshape(source, [count]), dtype), g.constant(dtype, [0], [1])], {
    axis: 0,
  });
  const taken = g.op("Gather", [values, g.op("Max", [order, g.scalar("int64", 0)])], { axis: 0 });
  return g.where(mask, g.reshape(taken, dims), node.tensor("self"));
};

export const MASKING: LoweringTable = {
  ...all("where", where, ["self", "ScalarSelf", "ScalarOther", "Scalar"]),
  ...all("masked_fill", maskedFill, BOTH),
  "aten.masked_select.default": maskedSelect,
  "aten.masked_scatter.default": maskedScatter,
};

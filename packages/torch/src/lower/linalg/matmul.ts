import type { Emitter } from "../core/emitter.ts";
import type { Lowering, LoweringTable } from "../core/lowering.ts";
import type { OpNode } from "../core/op-node.ts";
import type { Val } from "../core/tensor.ts";
import { multiply, times } from "./products.ts";

/**
 * aten::matmul(Tensor self, Tensor other) -> Tensor
 * aten::bmm(Tensor self, Tensor mat2) -> Tensor
 * aten::mm(Tensor self, Tensor mat2) -> Tensor
 * aten::mv(Tensor self, Tensor vec) -> Tensor
 */
export const matmul: Lowering = (node, g) => {
  const { dtype } = node.out();
  const second = node.has("other") ? "other" : node.has("mat2") ? "mat2" : "vec";
  return g.op("MatMul", [g.cast(node.tensor("self"), dtype), g.cast(node.tensor(second), dtype)]);
};

/** aten::dot(Tensor self, Tensor tensor) -> Tensor */
export const dot: Lowering = (node, g) => g.op("MatMul", [node.tensor("self"), node.tensor("tensor")]);

/** aten::addmm(Tensor self, Tensor mat1, Tensor mat2, *, Scalar beta=1, Scalar alpha=1) -> Tensor */
export const addmm: Lowering = (node, g) =>
  added(node, g, g.op("MatMul", [node.tensor("mat1"), node.tensor("mat2")]));

/** aten::baddbmm(Tensor self, Tensor batch1, Tensor batch2, *, Scalar beta=1, Scalar alpha=1) -> Tensor */
export const baddbmm: Lowering = (node, g) =>
  added(node, g, g.op("MatMul", [node.tensor("batch1"), node.tensor("batch2")]));

/** beta * self + alpha * product. With beta = 0, self does not count even where it is not finite. */
export function added(node: OpNode, g: Emitter, product: Val): Val {
  const { dtype } = node.out();
  const beta = node.scalar("beta");
  const alpha = node.scalar("alpha");
  const scaled = alpha.value === 1 ? product : g.op("Mul", [product, g.as(alpha, dtype)]);
  if (beta.value === 0) return scaled;
  const self = g.cast(node.tensor("self"), dtype);
  return g.op("Add", [beta.value === 1 ? self : g.op("Mul", [self, g.as(beta, dtype)]), scaled]);
}

/** aten::addbmm(Tensor self, Tensor batch1, Tensor batch2, *, Scalar beta=1, Scalar alpha=1) -> Tensor: products added up */
export const addbmm: Lowering = (node, g) => {
  const { dtype } = node.out();
  const products = multiply(g, g.cast(node.tensor("batch1"), dtype), g.cast(node.tensor("batch2"), dtype));
  return added(node, g, g.op("ReduceSum", [products, g.ints([0])], { keepdims: 0 }));
};

/** aten::addmv(Tensor self, Tensor mat, Tensor vec, *, Scalar beta=1, Scalar alpha=1) -> Tensor */
export const addmv: Lowering = (node, g) => {
  const { dtype } = node.out();
  return added(node, g, multiply(g, g.cast(node.tensor("mat"), dtype), g.cast(node.tensor("vec"), dtype)));
};

/** aten::addr(Tensor self, Tensor vec1, Tensor vec2, *, Scalar beta=1, Scalar alpha=1) -> Tensor */
export const addr: Lowering = (node, g) => {
  const { dtype } = node.out();
  const [a, b] = [g.cast(node.tensor("vec1"), dtype), g.cast(node.tensor("vec2"), dtype)];
  const outer = times(g, g.unsqueeze(a, [1]), g.unsqueeze(b, [0]));
  if (dtype !== "bool") return added(node, g, outer);
  const scaled = g.op("And", [outer, g.as(node.scalar("alpha"), "bool")]);
  const self = g.op("And", [g.cast(node.tensor("self"), "bool"), g.as(node.scalar("beta"), "bool")]);
  return g.op("Or", [self, scaled]);
};

export const MATMUL: LoweringTable = {
  "aten.matmul.default": matmul,
  "aten.mm.default": matmul,
  "aten.bmm.default": matmul,
  "aten.mv.default": matmul,
  "aten.dot.default": dot,
  "aten.addmm.default": addmm,
  "aten.baddbmm.default": baddbmm,
  "aten.addbmm.default": addbmm,
  "aten.addmv.default": addmv,
  "aten.addr.default": addr,
};

import type { Dim } from "../../graph/sym.ts";
import type { Emitter } from "../core/emitter.ts";
import { withoutCodes } from "../core/find-codes.ts";
import type { Lowering, LoweringTable } from "../core/lowering.ts";
import type { OpNode } from "../core/op-node.ts";
import type { Val } from "../core/tensor.ts";
import { codedProduct } from "./coded-products.ts";
import { multiplySome, times } from "./products.ts";

/**
 * aten::matmul(Tensor self, Tensor other) -> Tensor
 * aten::bmm(Tensor self, Tensor mat2) -> Tensor
 * aten::mm(Tensor self, Tensor mat2) -> Tensor
 * aten::mv(Tensor self, Tensor vec) -> Tensor
 */
export const matmul: Lowering = (node, g) => {
  const second = node.has("other") ? "other" : node.has("mat2") ? "mat2" : "vec";
  return productOf(node, g, { names: ["self", second], dims: node.out().dims });
};

interface Factors {
  readonly names: readonly [string, string];
  /** The product's size. */
  readonly dims: readonly Dim[];
}

function productOf(node: OpNode, g: Emitter, { names, dims }: Factors): Val {
  const { dtype } = node.out();
  const [a, b] = names.map((name) => ({ ...node.tensor(name), ...g.cast(node.tensor(name), dtype) }));
  const coded = codedProduct(g, { input: a!, weight: b!, isTransposed: false });
  return coded ?? multiplySome(g, [withoutCodes(g, a!), b!], dims);
}

/** The size of a product of matrices, batched or not. */
function matrixDims(node: OpNode, [a, b]: readonly [string, string]): Dim[] {
  return [...node.tensor(a).dims.slice(0, -1), node.tensor(b).dims.at(-1)!];
}

/** aten::dot(Tensor self, Tensor tensor) -> Tensor */
export const dot: Lowering = (node, g) => productOf(node, g, { names: ["self", "tensor"], dims: [] });

/** aten::addmm(Tensor self, Tensor mat1, Tensor mat2, *, Scalar beta=1, Scalar alpha=1) -> Tensor */
export const addmm: Lowering = (node, g) => addedProduct(node, g, ["mat1", "mat2"]);

/** aten::baddbmm(Tensor self, Tensor batch1, Tensor batch2, *, Scalar beta=1, Scalar alpha=1) -> Tensor */
export const baddbmm: Lowering = (node, g) => addedProduct(node, g, ["batch1", "batch2"]);

function addedProduct(node: OpNode, g: Emitter, names: readonly [string, string]): Val {
  return added(node, g, productOf(node, g, { names, dims: matrixDims(node, names) }));
}

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
  const names = ["batch1", "batch2"] as const;
  const products = productOf(node, g, { names, dims: matrixDims(node, names) });
  return added(node, g, g.op("ReduceSum", [products, g.ints([0])], { keepdims: 0 }));
};

/** aten::addmv(Tensor self, Tensor mat, Tensor vec, *, Scalar beta=1, Scalar alpha=1) -> Tensor */
export const addmv: Lowering = (node, g) => {
  const dims = node.tensor("mat").dims.slice(0, 1);
  return added(node, g, productOf(node, g, { names: ["mat", "vec"], dims }));
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

import { product } from "../../graph/sym.ts";
import type { Emitter } from "../core/emitter.ts";
import type { Lowering, LoweringTable } from "../core/lowering.ts";
import type { OpNode } from "../core/op-node.ts";
import type { Tensor, Val } from "../core/tensor.ts";

/** aten::linear(Tensor input, Tensor weight, Tensor? bias=None) -> Tensor. Gemm keeps the weight as stored ([out, in]). */
export const linear: Lowering = (node, g) => {
  const { dtype } = node.out();
  const input = retyped(g, node.tensor("input"), dtype);
  const weight = retyped(g, node.tensor("weight"), dtype);
  const bias = node.optionalTensor("bias");
  if (weight.dims.length !== 2 || dtype.startsWith("int"))
    return multiplyTransposed(g, input, { weight, bias });
  const rows =
    input.dims.length === 2
      ? input
      : g.reshape(input, [product(input.dims.slice(0, -1)), input.dims.at(-1)!]);
  const result = g.op("Gemm", [rows, weight, bias && g.cast(bias, dtype)], { transB: 1 });
  return input.dims.length === 2 ? result : g.reshape(result, node.out().dims);
};

function retyped(g: Emitter, tensor: Tensor, dtype: Tensor["dtype"]): Tensor {
  return { ...tensor, ...g.cast(tensor, dtype) };
}

/** For weights without an output dimension and for integers, which Gemm does not take. */
function multiplyTransposed(
  g: Emitter,
  input: Val,
  { weight, bias }: { weight: Tensor; bias: Tensor | undefined },
): Val {
  const product = g.op("MatMul", [input, weight.dims.length === 2 ? g.transpose(weight, [1, 0]) : weight]);
  return bias === undefined ? product : g.op("Add", [product, g.cast(bias, product.dtype)]);
}

/** aten::matmul(Tensor self, Tensor other) -> Tensor */
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

export const LINEAR: LoweringTable = {
  "aten.linear.default": linear,
  "aten.matmul.default": matmul,
  "aten.mm.default": matmul,
  "aten.bmm.default": matmul,
  "aten.mv.default": matmul,
  "aten.dot.default": dot,
  "aten.addmm.default": addmm,
  "aten.baddbmm.default": baddbmm,
};

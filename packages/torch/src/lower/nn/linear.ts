import { mul, product } from "../../graph/sym.ts";
import type { Emitter } from "../core/emitter.ts";
import { withoutCodes } from "../core/find-codes.ts";
import type { Lowering, LoweringTable } from "../core/lowering.ts";
import type { Tensor, Val } from "../core/tensor.ts";
import { codedProduct } from "../linalg/coded-products.ts";
import { multiplyRanked } from "../linalg/products.ts";

/** aten::bilinear(Tensor input1, Tensor input2, Tensor weight, Tensor? bias=None) -> Tensor: x1 · W[out] · x2 for every output */
export const bilinear: Lowering = (node, g) => {
  const [first, second, weight] = [node.tensor("input1"), node.tensor("input2"), node.tensor("weight")];
  const [outputs, left, right] = weight.dims;
  const rows = product(first.dims.slice(0, -1));
  const matrix = g.reshape(g.transpose(weight, [1, 0, 2]), [left!, mul(outputs!, right!)]);
  const half = g.op("MatMul", [g.reshape(first, [rows, left!]), matrix]);
  const whole = g.op("MatMul", [
    g.reshape(half, [rows, outputs!, right!]),
    g.reshape(second, [rows, right!, 1]),
  ]);
  const result = g.reshape(whole, node.out().dims);
  const bias = node.optionalTensor("bias");
  return bias === undefined ? result : g.op("Add", [result, bias]);
};

/** aten::linear(Tensor input, Tensor weight, Tensor? bias=None) -> Tensor. Gemm keeps the weight as stored ([out, in]). */
export const linear: Lowering = (node, g) => {
  const { dtype } = node.out();
  const input = retyped(g, node.tensor("input"), dtype);
  const weight = retyped(g, node.tensor("weight"), dtype);
  const bias = node.optionalTensor("bias");
  if (weight.dims.length !== 2 || dtype.startsWith("int"))
    return multiplyTransposed(g, input, { weight, bias });
  const coded = codedProduct(g, { input, weight, isTransposed: true, bias: bias && g.cast(bias, dtype) });
  if (coded !== undefined) return coded;
  const floats = withoutCodes(g, input);
  const rows =
    input.dims.length === 2
      ? floats
      : g.reshape(floats, [product(input.dims.slice(0, -1)), input.dims.at(-1)!]);
  const result = g.op("Gemm", [rows, weight, bias && g.cast(bias, dtype)], { transB: 1 });
  return input.dims.length === 2 ? result : g.reshape(result, node.out().dims);
};

function retyped(g: Emitter, tensor: Tensor, dtype: Tensor["dtype"]): Tensor {
  return { ...tensor, ...g.cast(tensor, dtype) };
}

/** For weights without an output dimension and for integers, which Gemm does not take. */
function multiplyTransposed(
  g: Emitter,
  input: Tensor,
  { weight, bias }: { weight: Tensor; bias: Tensor | undefined },
): Val {
  const product =
    weight.dims.length === 2
      ? g.op("MatMul", [input, g.transpose(weight, [1, 0])])
      : multiplyRanked(g, input, weight);
  return bias === undefined ? product : g.op("Add", [product, g.cast(bias, product.dtype)]);
}

export const LINEAR: LoweringTable = {
  "aten.bilinear.default": bilinear,
  "aten.linear.default": linear,
};

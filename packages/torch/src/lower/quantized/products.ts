import type { Lowering, LoweringTable } from "../core/lowering.ts";
import { multiplySome } from "../linalg/products.ts";

/** aten::_int_mm(Tensor self, Tensor mat2) -> Tensor: codes of 8 bits times int8 codes, added up in int32 */
export const intMm: Lowering = (node, g) => {
  const [self, mat2] = [node.tensor("self"), node.tensor("mat2")];
  return g.op("MatMulInteger", [self, mat2]);
};

/** aten::_weight_int8pack_mm(Tensor self, Tensor mat2, Tensor scales) -> Tensor: self · mat2ᵀ, every column times its scale */
export const int8Product: Lowering = (node, g) => {
  const { dtype, dims } = node.out();
  const [self, mat2] = [node.tensor("self"), node.tensor("mat2")];
  const turned = [mat2.dims[1]!, mat2.dims[0]!];
  const weight = g.typed(g.cast(g.transpose(mat2, [1, 0]), dtype), turned);
  const product = multiplySome(g, [self, weight], dims);
  return g.op("Mul", [product, g.cast(node.tensor("scales"), dtype)]);
};

export const QUANTIZED_PRODUCTS: LoweringTable = {
  "aten._int_mm.default": intMm,
  "aten._weight_int8pack_mm.default": int8Product,
};

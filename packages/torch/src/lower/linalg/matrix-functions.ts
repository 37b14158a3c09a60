import type { Lowering, LoweringTable } from "../core/lowering.ts";
import type { Val } from "../core/tensor.ts";
import { unsupported } from "../core/unsupported.ts";
import { multiply } from "./products.ts";

/**
 * aten::linalg_matrix_power(Tensor self, int n) -> Tensor
 * aten::matrix_power(Tensor self, int n) -> Tensor
 *
 * By squaring.
 */
export const matrixPower: Lowering = (node, g) => {
  const self = node.tensor("self");
  const n = node.int("n");
  if (n <= 0) return unsupported(n === 0 ? "the power 0" : "powers of the inverse");
  let result: Val | undefined;
  let square: Val = self;
  for (let rest = n; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) result = result === undefined ? square : multiply(g, result, square);
    if (rest > 1) square = multiply(g, square, square);
  }
  return result!;
};

export const MATRIX_FUNCTIONS: LoweringTable = {
  "aten.linalg_matrix_power.default": matrixPower,
  "aten.matrix_power.default": matrixPower,
};

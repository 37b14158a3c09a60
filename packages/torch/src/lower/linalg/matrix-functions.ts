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

/**
 * aten::det(Tensor self) -> Tensor
 * aten::linalg_det(Tensor A) -> Tensor
 * aten::logdet(Tensor self) -> Tensor
 */
export const det: Lowering = (node, g) => {
  const self = node.tensor(node.has("A") ? "A" : "self");
  const result = g.op("Det", [self]);
  return node.target === "aten.logdet.default" ? g.op("Log", [result]) : result;
};

/**
 * aten::slogdet(Tensor self) -> (Tensor sign, Tensor logabsdet)
 * aten::linalg_slogdet(Tensor A) -> (Tensor sign, Tensor logabsdet)
 */
export const slogdet: Lowering = (node, g) => {
  const result = g.op("Det", [node.tensor(node.has("A") ? "A" : "self")]);
  return [g.op("Sign", [result]), g.op("Log", [g.op("Abs", [result])])];
};

export const MATRIX_FUNCTIONS: LoweringTable = {
  "aten.linalg_matrix_power.default": matrixPower,
  "aten.matrix_power.default": matrixPower,
  "aten.det.default": det,
  "aten.linalg_det.default": det,
  "aten.slogdet.default": slogdet,
  "aten.linalg_slogdet.default": slogdet,
  "aten.logdet.default": det,
};

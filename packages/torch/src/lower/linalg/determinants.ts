import type { Emitter } from "../core/emitter.ts";
import type { Lowering, LoweringTable } from "../core/lowering.ts";
import { unlessNothing } from "../core/nothing.ts";
import type { OpNode } from "../core/op-node.ts";
import type { Tensor, Val } from "../core/tensor.ts";
import { unsupported } from "../core/unsupported.ts";
import { eliminate } from "./elimination.ts";
import { batchOf, diagonalOf, matrices, shapeOf, unlessRowless } from "./matrices.ts";

/** The operand of an op that calls it `A` or `self`. */
function operandOf(node: OpNode): Tensor {
  return node.tensor(node.has("A") ? "A" : "self");
}

/** The pivots of each matrix, [..., rows], and the sign of its permutation. */
function pivotsOf(g: Emitter, given: Tensor): { pivots: Val; sign: Val } {
  const { matrix, sign } = eliminate(g, matrices(g, given));
  return { pivots: diagonalOf(g, matrix, shapeOf(given)[0]), sign };
}

/** `emit` on matrices that have rows; `value` for those that have none. */
function ofRows(
  g: Emitter,
  given: Tensor,
  { values, emit }: { values: readonly number[]; emit(at: Emitter): readonly Val[] },
): Val[] {
  const [rows] = shapeOf(given);
  const empty = values.map(() => ({ dtype: "float64" as const, dims: batchOf(given) }));
  const found = unlessNothing(g, { sizes: given.dims, empty, emit });
  return found.map((val, i) => unlessRowless(g, val, { rows, value: values[i]! }));
}

/**
 * aten::det(Tensor self) -> Tensor
 * aten::linalg_det(Tensor A) -> Tensor
 * aten::_linalg_det(Tensor A) -> (Tensor result, Tensor LU, Tensor pivots)
 */
export const det: Lowering = (node, g) => {
  if (node.isUsed(1) || node.isUsed(2)) unsupported("its factors are used");
  const given = operandOf(node);
  return ofRows(g, given, {
    values: [1],
    emit: (at) => {
      const { pivots, sign } = pivotsOf(at, given);
      return [at.op("Mul", [sign, at.op("ReduceProd", [pivots, at.ints([-1])], { keepdims: 0 })])];
    },
  });
};

/**
 * aten::slogdet(Tensor self) -> (Tensor sign, Tensor logabsdet)
 * aten::linalg_slogdet(Tensor A) -> (Tensor sign, Tensor logabsdet)
 * aten::_linalg_slogdet(Tensor A) -> (Tensor sign, Tensor logabsdet, Tensor LU, Tensor pivots)
 * aten::logdet(Tensor self) -> Tensor
 */
export const slogdet: Lowering = (node, g) => {
  if (node.isUsed(2) || node.isUsed(3)) unsupported("its factors are used");
  const given = operandOf(node);
  const [sign, log] = ofRows(g, given, {
    values: [1, 0],
    emit: (at) => {
      const { pivots, sign: swaps } = pivotsOf(at, given);
      // The sign of NaN is 0.
      const each = at.where(at.op("IsNaN", [pivots]), at.scalar(pivots.dtype, 0), at.op("Sign", [pivots]));
      const signs = at.op("ReduceProd", [each, at.ints([-1])], { keepdims: 0 });
      const logs = at.op("Log", [at.op("Abs", [pivots])]);
      return [at.op("Mul", [swaps, signs]), at.op("ReduceSum", [logs, at.ints([-1])], { keepdims: 0 })];
    },
  });
  if (node.target !== "aten.logdet.default") return [sign!, log!];
  const isNegative = g.op("Less", [sign!, g.scalar("float64", 0)]);
  return g.where(isNegative, g.scalar("float64", Number.NaN), log!);
};

export const DETERMINANTS: LoweringTable = {
  "aten.det.default": det,
  "aten.linalg_det.default": det,
  "aten._linalg_det.default": det,
  "aten.slogdet.default": slogdet,
  "aten.linalg_slogdet.default": slogdet,
  "aten._linalg_slogdet.default": slogdet,
  "aten.logdet.default": slogdet,
};

import type { Emitter } from "../core/emitter.ts";
import type { Lowering, LoweringTable } from "../core/lowering.ts";
import type { Tensor, Val } from "../core/tensor.ts";
import { rotateApart, symmetric } from "./jacobi.ts";
import { diagonalOf, matrices, onMatrices, shapeOf } from "./matrices.ts";

/** Of the length of a matrix: what is left off its diagonal changes no eigenvalue by more. */
const ROUNDING = 2 ** -56;

/** The eigenvalues of symmetric matrices in ascending order, and their eigenvectors as columns, unique up to their sign. */
export function eigenOf(g: Emitter, given: Tensor): { values: Val; vectors: Tensor } {
  const [rows] = shapeOf(given);
  const length = g.op("Sqrt", [g.op("ReduceSumSquare", [given, g.ints([-2, -1])], { keepdims: 0 })]);
  const floor = g.unsqueeze(g.op("Mul", [length, g.scalar("float64", ROUNDING)]), [-1]);
  const { values, rotations } = rotateApart(g, given, {
    floor,
    gram: (_, x) => x,
    turned: (at, x, { right, left }) => at.op("MatMul", [left, at.op("MatMul", [x, right])]),
  });
  const [sorted, order] = g.ops("TopK", [diagonalOf(g, values, rows), g.shape([rows])], {
    count: 2,
    attributes: { axis: -1, largest: 0, sorted: 1 },
  });
  const columns = g.expand(g.unsqueeze(order!, [-2]), given.dims);
  return {
    values: sorted!,
    vectors: g.typed(g.op("GatherElements", [rotations, columns], { axis: -1 }), given.dims),
  };
}

/**
 * aten::linalg_eigh(Tensor self, str UPLO="L") -> (Tensor eigenvalues, Tensor eigenvectors)
 * aten::linalg_eigvalsh(Tensor self, str UPLO="L") -> Tensor
 * aten::_linalg_eigh(Tensor A, str UPLO="L", bool compute_v=True) -> (Tensor eigenvalues, Tensor eigenvectors)
 */
export const eigh: Lowering = (node, g) => {
  const given = node.tensor(node.has("A") ? "A" : "self");
  return onMatrices(node, g, {
    sizes: given.dims,
    emit: (at) => {
      const upper = node.string("UPLO").toUpperCase() === "U" ? 1 : 0;
      const { values, vectors } = eigenOf(at, symmetric(at, matrices(at, given), upper));
      return [values, vectors];
    },
  });
};

export const EIGENVALUES: LoweringTable = {
  "aten.linalg_eigh.default": eigh,
  "aten.linalg_eigvalsh.default": eigh,
  "aten._linalg_eigh.default": eigh,
};

import type { Emitter } from "../core/emitter.ts";
import type { Lowering, LoweringTable } from "../core/lowering.ts";
import type { OpNode } from "../core/op-node.ts";
import type { Tensor, Val } from "../core/tensor.ts";
import { inverseOf, solveBy } from "./elimination.ts";
import {
  broadcastTo,
  firstFault,
  matrices,
  onMatrices,
  requiring,
  transposed,
  unlessFaulty,
} from "./matrices.ts";

/** The solution, in a run that fails for singular matrices; where `info` is asked for it says so instead. */
function checked(
  node: OpNode,
  g: Emitter,
  { solution, singular, info }: { solution: Val; singular: Val; info: number | undefined },
): (Val | undefined)[] {
  if (info === undefined || !node.isUsed(info))
    return [requiring(g, solution, { need: "invertible matrices", faults: singular })];
  const results: (Val | undefined)[] = [unlessFaulty(g, solution, singular)];
  results[info] = firstFault(g, singular);
  return results;
}

/**
 * aten::inverse(Tensor self) -> Tensor
 * aten::linalg_inv(Tensor A) -> Tensor
 * aten::linalg_inv_ex(Tensor A, *, bool check_errors=False) -> (Tensor inverse, Tensor info)
 */
function inverse(name: "A" | "self"): Lowering {
  return (node, g) => {
    const given = node.tensor(name);
    return onMatrices(node, g, {
      sizes: given.dims,
      emit: (at) => {
        const found = inverseOf(at, matrices(at, given), given.declared === "float64");
        return checked(node, at, { ...found, info: node.outputCount > 1 ? 1 : undefined });
      },
    });
  };
}

/**
 * aten::linalg_solve(Tensor A, Tensor B, *, bool left=True) -> Tensor
 * aten::linalg_solve_ex(Tensor A, Tensor B, *, bool left=True, bool check_errors=False) -> (Tensor result, Tensor info)
 * aten::_linalg_solve_ex(Tensor A, Tensor B, *, bool left=True, bool check_errors=False) -> (Tensor result, Tensor LU, Tensor pivots, Tensor info)
 */
export const solve: Lowering = (node, g) => {
  const [a, b] = [node.tensor("A"), node.tensor("B")];
  const out = node.out().dims;
  return onMatrices(node, g, {
    sizes: [...a.dims, ...b.dims],
    emit: (at) => {
      const isVector = out.length < a.dims.length;
      const column = isVector
        ? at.typed(at.unsqueeze(at.cast(b, "float64"), [-1]), [...b.dims, 1])
        : matrices(at, b);
      const batch = (isVector ? [...out, 1] : out).slice(0, -2);
      const isLeft = node.bool("left") || isVector;
      const pair = [matrices(at, a), column].map((x) => {
        const whole = broadcastTo(at, x, batch);
        return isLeft ? whole : transposed(at, whole);
      });
      const { solution, singular } = solveBy(at, pair as [Tensor, Tensor], a.declared === "float64");
      const turned = isLeft ? solution : transposed(at, solution);
      const info = node.outputCount > 1 ? node.outputCount - 1 : undefined;
      const [result, ...others] = checked(node, at, { solution: turned, singular, info });
      return [isVector ? at.squeeze(result!, [-1]) : result, ...others];
    },
  });
};

export const SOLVING: LoweringTable = {
  "aten.inverse.default": inverse("self"),
  "aten.linalg_inv.default": inverse("A"),
  "aten.linalg_inv_ex.default": inverse("A"),
  "aten.linalg_solve.default": solve,
  "aten.linalg_solve_ex.default": solve,
  "aten._linalg_solve_ex.default": solve,
};

import { least } from "../../graph/bounds.ts";
import type { Dim } from "../../graph/sym.ts";
import { positions } from "../core/arange.ts";
import { countedLoops } from "../core/counted-loop.ts";
import type { Emitter } from "../core/emitter.ts";
import type { Lowering, LoweringTable } from "../core/lowering.ts";
import { requirement } from "../core/requirement.ts";
import type { Tensor, Val } from "../core/tensor.ts";
import { unsupported } from "../core/unsupported.ts";
import { type Eliminated, eliminate, zeroPivots } from "./elimination.ts";
import {
  batchOf,
  broadcastTo,
  firstFault,
  matrices,
  onMatrices,
  orIdentity,
  part,
  requiring,
  shapeOf,
  transposed,
} from "./matrices.ts";
import { solveTriangle } from "./triangles.ts";

const UNPIVOTED = "factors without pivots, which PyTorch has on GPUs alone";

/** L with ones on its diagonal, [..., rows, k], and U, [..., k, columns], of a matrix after elimination. */
function triangles(g: Emitter, matrix: Tensor): { lower: Val; upper: Val } {
  const [rows, columns] = shapeOf(matrix);
  const inner = least(rows, columns);
  const [rowNumbers, innerNumbers] = [positions(g, rows), positions(g, inner)];
  const left = part(g, matrix, { axis: -1, end: inner });
  const isOn = g.op("Equal", [g.unsqueeze(rowNumbers, [1]), innerNumbers]);
  const below = g.op("Trilu", [left, g.scalar("int64", -1)], { upper: 0 });
  const top = part(g, matrix, { axis: -2, end: inner });
  return {
    lower: g.where(isOn, g.scalar("float64", 1), below),
    upper: g.op("Trilu", [top], { upper: 1 }),
  };
}

/** The permutation matrices P of A = P L U. */
function permutationOf(g: Emitter, order: Val, rows: Dim): Val {
  const isFrom = g.op("Equal", [g.unsqueeze(positions(g, rows), [1]), g.unsqueeze(order, [-2])]);
  return g.cast(isFrom, "float64");
}

/** aten::linalg_lu(Tensor A, *, bool pivot=True) -> (Tensor P, Tensor L, Tensor U) */
export const lu: Lowering = (node, g) => {
  const given = node.tensor("A");
  if (!node.bool("pivot")) unsupported(UNPIVOTED);
  const [permutation, ...factors] = onMatrices(node, g, {
    sizes: given.dims,
    emit: (at) => {
      const done = eliminate(at, matrices(at, given));
      const { lower, upper } = triangles(at, done.matrix);
      return [permutationOf(at, done.order, shapeOf(given)[0]), lower, upper];
    },
  });
  return [orIdentity(g, given, { val: permutation, size: shapeOf(given)[0] }), ...factors];
};

/**
 * aten::linalg_lu_factor(Tensor A, *, bool pivot=True) -> (Tensor LU, Tensor pivots)
 * aten::linalg_lu_factor_ex(Tensor A, *, bool pivot=True, bool check_errors=False) -> (Tensor LU, Tensor pivots, Tensor info)
 * aten::_lu_with_info(Tensor self, bool pivot=True, bool check_errors=True) -> (Tensor LU, Tensor pivots, Tensor info)
 *
 * The pivots are LAPACK's: with which row each one was exchanged.
 */
export const luFactor: Lowering = (node, g) => {
  const given = node.tensor(node.has("A") ? "A" : "self");
  if (!node.bool("pivot")) unsupported(UNPIVOTED);
  return onMatrices(node, g, {
    sizes: given.dims,
    emit: (at) => {
      const [rows, columns] = shapeOf(given);
      const wide = matrices(at, given);
      const done = eliminate(at, wide);
      const inner = least(rows, columns);
      const faults = zeroPivots(at, squareOf(at, done, inner), { rows: inner, isExact: true });
      const result =
        node.outputCount > 2
          ? done.matrix
          : requiring(at, done.matrix, { need: "invertible matrices", faults });
      const exchanges = at.op("Slice", [done.exchanges, at.ints([0]), at.shape([inner]), at.ints([-1])]);
      return [result, at.op("Add", [exchanges, at.scalar("int64", 1)]), firstFault(at, faults)];
    },
  });
};

function squareOf(g: Emitter, done: Eliminated, inner: Dim): Eliminated {
  return { ...done, matrix: part(g, done.matrix, { axis: -2, end: inner }) };
}

/** [..., rows]: which row is at each place after LAPACK's exchanges, given from 1. */
function orderOf(g: Emitter, pivots: Tensor, rows: Dim): Val {
  const rowNumbers = positions(g, rows);
  const numbers = g.op("Sub", [g.cast(pivots, "int64"), g.scalar("int64", 1)]);
  const isBelow = g.op("Less", [numbers, g.scalar("int64", 0)]);
  const faults = g.op("Or", [isBelow, g.op("GreaterOrEqual", [numbers, g.number(rows, "int64")])]);
  const guard = requirement(g, "the pivots of its factors", faults);
  const initial = [g.expand(g.op("Add", [rowNumbers, guard]), [...pivots.dims.slice(0, -1), rows])];
  const count = g.number(pivots.dims.at(-1)!, "int64");
  return countedLoops(g, { count, initial }, (at, turn, [order]) => {
    const other = at.op("Gather", [numbers, at.unsqueeze(turn, [0])], { axis: -1 });
    const isTurn = at.op("Equal", [rowNumbers, turn]);
    const isOther = at.op("Equal", [rowNumbers, other]);
    const from = at.where(isTurn, other, at.where(isOther, turn, rowNumbers));
    return [at.op("GatherElements", [order!, from], { axis: -1 })];
  })[0]!;
}

/** aten::lu_unpack(Tensor LU_data, Tensor LU_pivots, bool unpack_data=True, bool unpack_pivots=True) -> (Tensor P, Tensor L, Tensor U) */
export const luUnpack: Lowering = (node, g) => {
  const given = node.tensor("LU_data");
  return onMatrices(node, g, {
    sizes: given.dims,
    emit: (at) => {
      const [rows] = shapeOf(given);
      const { lower, upper } = triangles(at, matrices(at, given));
      return [permutationOf(at, orderOf(at, node.tensor("LU_pivots"), rows), rows), lower, upper];
    },
  });
};

/**
 * aten::linalg_lu_solve(Tensor LU, Tensor pivots, Tensor B, *, bool left=True, bool adjoint=False) -> Tensor
 * aten::lu_solve(Tensor self, Tensor LU_data, Tensor LU_pivots) -> Tensor
 */
export const luSolve: Lowering = (node, g) => {
  const isOld = node.has("LU_data");
  const isLeft = isOld || node.bool("left");
  // X A = B is Aᵀ Xᵀ = Bᵀ.
  const isTransposed = isLeft === (!isOld && node.bool("adjoint"));
  const factors = node.tensor(isOld ? "LU_data" : "LU");
  const right = node.tensor(isOld ? "self" : "B");
  return onMatrices(node, g, {
    sizes: [...factors.dims, ...right.dims],
    emit: (at) => {
      const [rows] = shapeOf(factors);
      const batch = batchOf(node.out());
      const pivots = node.tensor(isOld ? "LU_pivots" : "pivots");
      const permutation = permutationOf(at, orderOf(at, pivots, rows), rows);
      const given = broadcastTo(at, matrices(at, right), batch);
      const b = isLeft ? given : transposed(at, given);
      const a = matrices(at, factors);
      const exchange = at.typed(permutation, [...batchOf(factors), rows, rows]);
      const found = isTransposed
        ? solveTransposed(at, [a, b], exchange)
        : solveByFactors(at, [a, b], exchange);
      return [isLeft ? found : transposed(at, found)];
    },
  });
};

/** X of P L U X = B. */
function solveByFactors(g: Emitter, [a, b]: readonly [Tensor, Tensor], permutation: Tensor): Tensor {
  const ordered = g.typed(g.op("MatMul", [transposed(g, permutation), b]), b.dims);
  const half = solveTriangle(g, [a, ordered], { isUpper: false, isUnit: true });
  return solveTriangle(g, [a, half], { isUpper: true, isUnit: false });
}

/** X of (P L U)ᵀ X = B. */
function solveTransposed(g: Emitter, [a, b]: readonly [Tensor, Tensor], permutation: Tensor): Tensor {
  const turned = transposed(g, a);
  const half = solveTriangle(g, [turned, b], { isUpper: false, isUnit: false });
  const ordered = solveTriangle(g, [turned, half], { isUpper: true, isUnit: true });
  return g.typed(g.op("MatMul", [permutation, ordered]), b.dims);
}

export const LU: LoweringTable = {
  "aten.linalg_lu.default": lu,
  "aten.linalg_lu_factor.default": luFactor,
  "aten.linalg_lu_factor_ex.default": luFactor,
  "aten._lu_with_info.default": luFactor,
  "aten.lu_unpack.default": luUnpack,
  "aten.linalg_lu_solve.default": luSolve,
  "aten.lu_solve.default": luSolve,
};

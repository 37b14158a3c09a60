import { sub } from "../../graph/sym.ts";
import { positions } from "../core/arange.ts";
import { countedLoops } from "../core/counted-loop.ts";
import type { Emitter } from "../core/emitter.ts";
import type { Lowering, LoweringTable } from "../core/lowering.ts";
import type { OpNode } from "../core/op-node.ts";
import type { Tensor, Val } from "../core/tensor.ts";
import { unsupported } from "../core/unsupported.ts";
import {
  batchOf,
  broadcastTo,
  diagonalOf,
  firstFault,
  identity,
  matrices,
  onMatrices,
  outerProduct,
  requiring,
  shapeOf,
  taken,
  transposed,
  unlessFaulty,
} from "./matrices.ts";

interface Triangle {
  readonly isUpper: boolean;
  /** Its diagonal counts as ones. */
  readonly isUnit: boolean;
}

/** X of A X = B where A is a triangle: one row after the other. What lies in the other triangle is not looked at. */
export function solveTriangle(
  g: Emitter,
  [a, b]: readonly [Tensor, Tensor],
  { isUpper, isUnit }: Triangle,
): Tensor {
  const [rows] = shapeOf(a);
  const rowNumbers = positions(g, rows);
  const last = g.number(sub(rows, 1), "int64");
  const count = g.number(rows, "int64");
  const [solution] = countedLoops(g, { count, initial: [b] }, (at, turn, [x]) => {
    const place = isUpper ? at.op("Sub", [last, turn]) : turn;
    const given = taken(at, x!, { axis: -2, at: place });
    const column = taken(at, a, { axis: -1, at: place });
    const pivot = at.op("Gather", [column, at.unsqueeze(place, [0])], { axis: -1 });
    const row = isUnit ? given : at.op("Div", [given, pivot]);
    const isLeft = at.op(isUpper ? "Less" : "Greater", [rowNumbers, place]);
    const rest = at.op("Sub", [x!, outerProduct(at, column, row)]);
    const placed = at.where(
      at.unsqueeze(at.op("Equal", [rowNumbers, place]), [1]),
      at.unsqueeze(row, [-2]),
      x!,
    );
    return [at.where(at.unsqueeze(isLeft, [1]), rest, placed)];
  });
  return g.typed(solution!, b.dims);
}

/**
 * aten::linalg_solve_triangular(Tensor self, Tensor B, *, bool upper, bool left=True, bool unitriangular=False) -> Tensor
 * aten::triangular_solve(Tensor self, Tensor A, bool upper=True, bool transpose=False, bool unitriangular=False) -> (Tensor solution, Tensor cloned_coefficient)
 */
export const triangularSolve: Lowering = (node, g) => {
  const isOld = node.has("A");
  const [a, b] = [node.tensor(isOld ? "A" : "self"), node.tensor(isOld ? "self" : "B")];
  if (a.dtype !== b.dtype) return unsupported(`its matrices are ${a.dtype} and ${b.dtype}`);
  return onMatrices(node, g, {
    sizes: a.dims,
    emit: (at) => {
      const batch = batchOf(node.out());
      const [left, right] = [
        broadcastTo(at, matrices(at, a), batch),
        broadcastTo(at, matrices(at, b), batch),
      ];
      const isUnit = node.bool("unitriangular");
      const isUpper = node.bool("upper");
      if (isOld ? !node.bool("transpose") : node.bool("left"))
        return [solveTriangle(at, [left, right], { isUpper, isUnit }), left];
      const flipped = { isUpper: !isUpper, isUnit };
      if (isOld) return [solveTriangle(at, [transposed(at, left), right], flipped), left];
      const turned = solveTriangle(at, [transposed(at, left), transposed(at, right)], flipped);
      return [transposed(at, turned)];
    },
  });
};

/** The lower factor L of A = L Lᵀ, from A's lower triangle, and which of its pivots are not positive. */
function choleskyOf(g: Emitter, given: Tensor, isExact: boolean): { factor: Tensor; faults: Val } {
  const [rows] = shapeOf(given);
  const rowNumbers = positions(g, rows);
  const zero = g.scalar("float64", 0);
  const isOn = g.op("Equal", [g.unsqueeze(rowNumbers, [1]), rowNumbers]);
  const numbers = g.op("ReduceSum", [g.where(isOn, given, zero), g.ints([-1])], { keepdims: 0 });
  const rounding = g.op("Mul", [
    g.number(rows, "float64"),
    g.scalar("float64", isExact ? 0 : Number.EPSILON),
  ]);
  const least = g.op("Mul", [numbers, rounding]);
  const nothing = g.op("Less", [numbers, numbers]);
  const initial = [g.op("Trilu", [given], { upper: 0 }), nothing];
  const count = g.number(rows, "int64");
  const [factor, faults] = countedLoops(g, { count, initial }, (at, turn, [x, before]) => {
    const column = taken(at, x!, { axis: -1, at: turn });
    const pivot = at.op("Gather", [column, at.unsqueeze(turn, [0])], { axis: -1 });
    const bound = at.op("Gather", [least, at.unsqueeze(turn, [0])], { axis: -1 });
    const isFault = at.op("Not", [at.op("Greater", [pivot, bound])]);
    const isTurn = at.op("Equal", [rowNumbers, turn]);
    const isRest = at.op("Greater", [rowNumbers, turn]);
    const root = at.op("Sqrt", [pivot]);
    const scaled = at.where(isRest, at.op("Div", [column, root]), at.where(isTurn, root, zero));
    const rest = at.where(isRest, scaled, zero);
    const change = at.op("Trilu", [outerProduct(at, rest, rest)], { upper: 0 });
    const isColumn = at.unsqueeze(isTurn, [0]);
    const changed = at.where(isColumn, at.unsqueeze(scaled, [-1]), at.op("Sub", [x!, change]));
    return [changed, at.op("Or", [before!, at.op("And", [isTurn, isFault])])];
  });
  return { factor: g.typed(g.op("Trilu", [factor!], { upper: 0 }), given.dims), faults: faults! };
}

/**
 * aten::cholesky(Tensor self, bool upper=False) -> Tensor
 * aten::linalg_cholesky(Tensor self, *, bool upper=False) -> Tensor
 * aten::linalg_cholesky_ex(Tensor self, *, bool upper=False, bool check_errors=False) -> (Tensor L, Tensor info)
 */
export const cholesky: Lowering = (node, g) => {
  const given = node.tensor("self");
  const isUpper = node.bool("upper");
  return onMatrices(node, g, {
    sizes: given.dims,
    emit: (at) => {
      const wide = matrices(at, given);
      const { factor, faults } = choleskyOf(
        at,
        isUpper ? transposed(at, wide) : wide,
        given.declared === "float64",
      );
      const result = isUpper ? transposed(at, factor) : factor;
      if (node.outputCount > 1 && node.isUsed(1))
        return [unlessFaulty(at, result, faults), firstFault(at, faults)];
      return [requiring(at, result, { need: "positive-definite matrices", faults })];
    },
  });
};

/** The solution for A given by its Cholesky factor. */
function solveByFactor(node: OpNode, g: Emitter, [factor, b]: readonly [Tensor, Tensor]): Tensor {
  const isUpper = node.bool("upper");
  const lower = isUpper ? transposed(g, factor) : factor;
  const half = solveTriangle(g, [lower, b], { isUpper: false, isUnit: false });
  return solveTriangle(g, [transposed(g, lower), half], { isUpper: true, isUnit: false });
}

/**
 * aten::cholesky_solve(Tensor self, Tensor input2, bool upper=False) -> Tensor
 * aten::_cholesky_solve_helper(Tensor self, Tensor A, bool upper) -> Tensor
 */
export const choleskySolve: Lowering = (node, g) => {
  const [b, factor] = [node.tensor("self"), node.tensor(node.has("A") ? "A" : "input2")];
  return onMatrices(node, g, {
    sizes: [...factor.dims, ...b.dims],
    emit: (at) => {
      const batch = batchOf(node.out());
      const [left, right] = [factor, b].map((x) => broadcastTo(at, matrices(at, x), batch));
      return [solveByFactor(node, at, [left!, right!])];
    },
  });
};

/** aten::cholesky_inverse(Tensor self, bool upper=False) -> Tensor */
export const choleskyInverse: Lowering = (node, g) => {
  const factor = node.tensor("self");
  return onMatrices(node, g, {
    sizes: factor.dims,
    emit: (at) => {
      const [rows] = shapeOf(factor);
      const wide = matrices(at, factor);
      const eye = identity(at, rows, batchOf(factor));
      const faults = at.op("Equal", [diagonalOf(at, wide, rows), at.scalar("float64", 0)]);
      const inverse = solveByFactor(node, at, [wide, eye]);
      return [requiring(at, inverse, { need: "invertible matrices", faults })];
    },
  });
};

export const TRIANGLES: LoweringTable = {
  "aten.linalg_solve_triangular.default": triangularSolve,
  "aten.triangular_solve.default": triangularSolve,
  "aten.cholesky.default": cholesky,
  "aten.linalg_cholesky.default": cholesky,
  "aten.linalg_cholesky_ex.default": cholesky,
  "aten.cholesky_solve.default": choleskySolve,
  "aten._cholesky_solve_helper.default": choleskySolve,
  "aten.cholesky_inverse.default": choleskyInverse,
};

import { product } from "../../graph/sym.ts";
import { countedLoops } from "../core/counted-loop.ts";
import type { Emitter } from "../core/emitter.ts";
import type { Lowering, LoweringTable } from "../core/lowering.ts";
import type { OpNode } from "../core/op-node.ts";
import { normalizeAxis, type Tensor, type Val } from "../core/tensor.ts";
import { inverseOf, solveBy } from "./elimination.ts";
import { batchOf, identity, matrices, onMatrices, requiring, shapeOf } from "./matrices.ts";
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
  if (n === 0) return identity(g, shapeOf(self)[0], batchOf(self));
  if (n > 0) return poweredBy(g, self, n);
  return onMatrices(node, g, {
    sizes: self.dims,
    emit: (at) => {
      const { solution, singular } = inverseOf(at, matrices(at, self), self.declared === "float64");
      const inverse = requiring(at, solution, { need: "invertible matrices", faults: singular });
      return [poweredBy(at, inverse, -n)];
    },
  })[0]!;
};

function poweredBy(g: Emitter, self: Val, n: number): Val {
  let result: Val | undefined;
  let square = self;
  for (let rest = n; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) result = result === undefined ? square : multiply(g, result, square);
    if (rest > 1) square = multiply(g, square, square);
  }
  return result!;
}

/** Terms of the exponential's series that a matrix of norm 1 needs in float64. */
const TERMS = 18;
/** No float64 is beyond 2 to this power. */
const MOST_HALVINGS = 1100;

/**
 * aten::linalg_matrix_exp(Tensor self) -> Tensor
 * aten::matrix_exp(Tensor self) -> Tensor
 *
 * The series of the matrix halved until its norm is at most 1, squared as often.
 */
export const matrixExp: Lowering = (node, g) => {
  const self = node.tensor("self");
  return onMatrices(node, g, {
    sizes: self.dims,
    emit: (at) => [exponentialOf(at, matrices(at, self))],
  });
};

function exponentialOf(g: Emitter, given: Tensor): Val {
  const sums = g.op("ReduceSum", [g.op("Abs", [given]), g.ints([-2])], { keepdims: 1 });
  const norm = g.op("ReduceMax", [sums, g.ints([-1])], { keepdims: 1 });
  const exponent = g.op("Div", [g.op("Log", [norm]), g.scalar("float64", Math.LN2)]);
  const whole = g.cast(g.op("Ceil", [exponent]), "int64");
  const halvings = g.where(
    g.op("Greater", [whole, g.scalar("int64", 0)]),
    g.where(g.op("Less", [whole, g.scalar("int64", MOST_HALVINGS)]), whole, g.scalar("int64", MOST_HALVINGS)),
    g.scalar("int64", 0),
  );
  const factor = g.op("Pow", [g.scalar("float64", 0.5), g.cast(halvings, "float64")]);
  const scaled = g.op("Mul", [given, factor]);
  const eye = identity(g, shapeOf(given)[0], batchOf(given));
  let series: Val = eye;
  for (let term = TERMS; term > 0; term--) {
    const next = g.op("Div", [g.op("MatMul", [scaled, series]), g.scalar("float64", term)]);
    series = g.op("Add", [eye, next]);
  }
  const flat = g.reshape(halvings, [-1]);
  const count = g.op("ReduceMax", [flat, g.ints([0])], { keepdims: 0 });
  return countedLoops(g, { count, initial: [series] }, (at, turn, [x]) => [
    at.where(at.op("Less", [turn, halvings]), at.op("MatMul", [x!, x!]), x!),
  ])[0]!;
}

/** aten::linalg_tensorinv(Tensor self, int ind=2) -> Tensor */
export const tensorInverse: Lowering = (node, g) => {
  const self = node.tensor("self");
  const ind = node.int("ind");
  const rows = product(self.dims.slice(0, ind));
  const square = g.typed(g.reshape(self, [rows, product(self.dims.slice(ind))]), [rows, rows]);
  return onMatrices(node, g, {
    sizes: self.dims,
    emit: (at) => {
      const found = inverseOf(at, matrices(at, square), self.declared === "float64");
      return [at.reshape(required(at, found), node.out().dims)];
    },
  });
};

function required(g: Emitter, { solution, singular }: { solution: Val; singular: Val }): Val {
  return requiring(g, solution, { need: "invertible matrices", faults: singular });
}

/** aten::linalg_tensorsolve(Tensor self, Tensor other, int[]? dims=None) -> Tensor */
export const tensorSolve: Lowering = (node, g) => {
  const self = movedLast(node, g);
  const other = node.tensor("other");
  const rows = product(other.dims);
  const square = g.typed(g.reshape(self, [rows, rows]), [rows, rows]);
  const column = g.typed(g.reshape(other, [rows, 1]), [rows, 1]);
  return onMatrices(node, g, {
    sizes: self.dims,
    emit: (at) => {
      const pair = [matrices(at, square), matrices(at, column)] as const;
      return [at.reshape(required(at, solveBy(at, pair, self.declared === "float64")), node.out().dims)];
    },
  });
};

/** The operand with the dimensions that `dims` names last. */
function movedLast(node: OpNode, g: Emitter): Tensor {
  const self = node.tensor("self");
  if (!node.has("dims")) return self;
  const last = node.ints("dims").map((dim) => normalizeAxis(dim, self.dims.length));
  const perm = [...self.dims.map((_, axis) => axis).filter((axis) => !last.includes(axis)), ...last];
  return {
    ...self,
    ...g.transpose(self, perm),
    dims: perm.map((axis) => self.dims[axis]!),
  };
}

export const MATRIX_FUNCTIONS: LoweringTable = {
  "aten.linalg_matrix_power.default": matrixPower,
  "aten.matrix_power.default": matrixPower,
  "aten.linalg_matrix_exp.default": matrixExp,
  "aten.matrix_exp.default": matrixExp,
  "aten.linalg_tensorinv.default": tensorInverse,
  "aten.linalg_tensorsolve.default": tensorSolve,
};

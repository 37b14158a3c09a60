import { least } from "../../graph/bounds.ts";
import type { Dim } from "../../graph/sym.ts";
import { positions } from "../core/arange.ts";
import { countedLoops } from "../core/counted-loop.ts";
import type { Emitter } from "../core/emitter.ts";
import type { Lowering, LoweringTable } from "../core/lowering.ts";
import type { Tensor, Val } from "../core/tensor.ts";
import { unsupported } from "../core/unsupported.ts";
import { batchOf, identity, matrices, onMatrices, outerProduct, part, shapeOf, taken } from "./matrices.ts";

/** x - tau (x v) vᵀ: the rows of x reflected. */
function reflected(g: Emitter, x: Val, { v, tau }: { v: Val; tau: Val }): Val {
  const along = g.squeeze(g.op("MatMul", [x, g.unsqueeze(v, [-1])]), [-1]);
  return g.op("Sub", [x, outerProduct(g, g.op("Mul", [tau, along]), v)]);
}

/** x - tau v (vᵀ x): the columns of x reflected. */
function reflectedColumns(g: Emitter, x: Val, { v, tau }: { v: Val; tau: Val }): Val {
  const along = g.squeeze(g.op("MatMul", [g.unsqueeze(v, [-2]), x]), [-2]);
  return g.op("Sub", [x, outerProduct(g, g.op("Mul", [tau, v]), along)]);
}

/**
 * A = Q R by Householder's reflections, with the signs of LAPACK's geqrf: each diagonal element of R has the sign opposite to what it is
 * made of. Q is [..., rows, rows], R [..., rows, columns].
 */
export function qrOf(g: Emitter, given: Tensor): { q: Tensor; r: Tensor } {
  const [rows, columns] = shapeOf(given);
  const rowNumbers = positions(g, rows);
  const start = identity(g, rows, batchOf(given));
  const count = g.number(least(rows, columns), "int64");
  const [zero, one] = [g.scalar("float64", 0), g.scalar("float64", 1)];
  const [q, r] = countedLoops(g, { count, initial: [start, given] }, (at, turn, [turned, rest]) => {
    const column = taken(at, rest!, { axis: -1, at: turn });
    const below = at.where(at.op("Greater", [rowNumbers, turn]), column, zero);
    const head = at.op("Gather", [column, at.unsqueeze(turn, [0])], { axis: -1 });
    const length = at.op("ReduceL2", [below, at.ints([-1])], { keepdims: 1 });
    const isDone = at.op("Equal", [length, zero]);
    const whole = at.op("Sqrt", [at.op("Add", [at.op("Mul", [head, head]), at.op("Mul", [length, length])])]);
    const beta = at.where(at.op("Less", [head, zero]), whole, at.op("Neg", [whole]));
    const tau = at.where(
      isDone,
      zero,
      at.op("Div", [at.op("Sub", [beta, head]), at.where(isDone, one, beta)]),
    );
    const scale = at.where(isDone, one, at.op("Sub", [head, beta]));
    const isTurn = at.op("Equal", [rowNumbers, turn]);
    const v = at.where(isTurn, one, at.op("Div", [below, scale]));
    return [reflected(at, turned!, { v, tau }), reflectedColumns(at, rest!, { v, tau })];
  });
  return { q: g.typed(q!, start.dims), r: g.typed(r!, given.dims) };
}

/** The first `rows` rows of R; what lies below its diagonal is rounding. */
export function upperOf(g: Emitter, r: Tensor, rows: Dim): Val {
  return g.op("Trilu", [part(g, r, { axis: -2, end: rows })], { upper: 1 });
}

/**
 * aten::linalg_qr(Tensor A, str mode="reduced") -> (Tensor Q, Tensor R)
 * aten::qr(Tensor self, bool some=True) -> (Tensor Q, Tensor R)
 */
export const qr: Lowering = (node, g) => {
  const given = node.tensor(node.has("A") ? "A" : "self");
  const [rows, columns] = shapeOf(given);
  const mode = node.has("mode") ? node.string("mode") : node.bool("some") ? "reduced" : "complete";
  if (given.dims.includes(0)) unsupported("a matrix without elements");
  return onMatrices(node, g, {
    sizes: given.dims,
    emit: (at) => {
      const { q, r } = qrOf(at, matrices(at, given));
      const inner = mode === "complete" ? rows : least(rows, columns);
      const empty = at.constant("float64", [], [0]);
      return [mode === "r" ? empty : part(at, q, { axis: -1, end: inner }), upperOf(at, r, inner)];
    },
  });
};

/** aten::linalg_householder_product(Tensor input, Tensor tau) -> Tensor, aten::orgqr(Tensor self, Tensor input2) -> Tensor */
function householderProduct(first: string, second: string): Lowering {
  return (node, g) => {
    const [given, scales] = [node.tensor(first), node.tensor(second)];
    const [rows, columns] = shapeOf(given);
    return onMatrices(node, g, {
      sizes: given.dims,
      emit: (at) => {
        const [wide, taus] = [matrices(at, given), at.cast(scales, "float64")];
        const rowNumbers = positions(at, rows);
        const start = identity(at, rows, batchOf(given));
        const count = at.number(scales.dims.at(-1)!, "int64");
        const [product] = countedLoops(at, { count, initial: [start] }, (inner, turn, [soFar]) => {
          const column = taken(inner, wide, { axis: -1, at: turn });
          const below = inner.where(
            inner.op("Greater", [rowNumbers, turn]),
            column,
            inner.scalar("float64", 0),
          );
          const v = inner.where(inner.op("Equal", [rowNumbers, turn]), inner.scalar("float64", 1), below);
          const tau = inner.op("Gather", [taus, inner.unsqueeze(turn, [0])], { axis: -1 });
          return [reflected(inner, soFar!, { v, tau })];
        });
        return [part(at, at.typed(product!, start.dims), { axis: -1, end: columns })];
      },
    });
  };
}

export const ORTHOGONAL: LoweringTable = {
  "aten.linalg_qr.default": qr,
  "aten.qr.default": qr,
  "aten.linalg_householder_product.default": householderProduct("input", "tau"),
  "aten.orgqr.default": householderProduct("self", "input2"),
};

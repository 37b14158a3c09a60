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

interface Turn {
  readonly rowNumbers: Val;
  readonly turn: Val;
}

/** The reflection that leaves nothing of column `turn` below its diagonal: v begins with a 1 there, tau is [..., 1]. */
function reflectorOf(g: Emitter, x: Val, { rowNumbers, turn }: Turn): { v: Val; tau: Val } {
  const [zero, one] = [g.scalar("float64", 0), g.scalar("float64", 1)];
  const column = taken(g, x, { axis: -1, at: turn });
  const below = g.where(g.op("Greater", [rowNumbers, turn]), column, zero);
  const head = g.op("Gather", [column, g.unsqueeze(turn, [0])], { axis: -1 });
  const length = g.op("ReduceL2", [below, g.ints([-1])], { keepdims: 1 });
  const isDone = g.op("Equal", [length, zero]);
  const whole = g.op("Sqrt", [g.op("Add", [g.op("Mul", [head, head]), g.op("Mul", [length, length])])]);
  const beta = g.where(g.op("Less", [head, zero]), whole, g.op("Neg", [whole]));
  const reach = g.op("Div", [g.op("Sub", [beta, head]), g.where(isDone, one, beta)]);
  const scale = g.where(isDone, one, g.op("Sub", [head, beta]));
  const isTurn = g.op("Equal", [rowNumbers, turn]);
  return {
    v: g.where(isTurn, one, g.op("Div", [below, scale])),
    tau: g.where(isDone, zero, reach),
  };
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
  const [q, r] = countedLoops(g, { count, initial: [start, given] }, (at, turn, [turned, rest]) => {
    const { v, tau } = reflectorOf(at, rest!, { rowNumbers, turn });
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

/** aten::geqrf(Tensor self) -> (Tensor a, Tensor tau): R, and below its diagonal the reflections that make Q */
export const geqrf: Lowering = (node, g) => {
  const given = node.tensor("self");
  const [rows, columns] = shapeOf(given);
  return onMatrices(node, g, {
    sizes: given.dims,
    emit: (at) => {
      const size = least(rows, columns);
      const [rowNumbers, columnNumbers, places] = [rows, columns, size].map((count) => positions(at, count));
      const none = at.expand(at.scalar("float64", 0), [...batchOf(given), size]);
      const initial = [matrices(at, given), none];
      const count = at.number(size, "int64");
      return countedLoops(at, { count, initial }, (inner, turn, [rest, taus]) => {
        const { v, tau } = reflectorOf(inner, rest!, { rowNumbers: rowNumbers!, turn });
        const isLeft = inner.op("Less", [columnNumbers!, turn]);
        const turned = inner.where(isLeft, rest!, reflectedColumns(inner, rest!, { v, tau }));
        const isOwn = inner.op("And", [
          inner.unsqueeze(inner.op("Greater", [rowNumbers!, turn]), [1]),
          inner.op("Equal", [columnNumbers!, turn]),
        ]);
        const isPlace = inner.op("Equal", [places!, turn]);
        return [inner.where(isOwn, inner.unsqueeze(v, [-1]), turned), inner.where(isPlace, tau, taus!)];
      });
    },
  });
};

/** aten::ormqr(Tensor self, Tensor input2, Tensor input3, bool left=True, bool transpose=False) -> Tensor: a matrix times Q, by its reflections */
export const ormqr: Lowering = (node, g) => {
  const [given, scales, other] = ["self", "input2", "input3"].map((name) => node.tensor(name));
  const [isLeft, isTransposed] = [node.bool("left"), node.bool("transpose")];
  const [rows] = shapeOf(given!);
  if ([...given!.dims, ...scales!.dims].includes(0)) return other!;
  return onMatrices(node, g, {
    sizes: [...given!.dims, ...other!.dims],
    emit: (at) => {
      const [wide, taus] = [matrices(at, given!), at.cast(scales!, "float64")];
      const rowNumbers = positions(at, rows);
      const count = at.number(scales!.dims.at(-1)!, "int64");
      const last = at.op("Sub", [count, at.scalar("int64", 1)]);
      return countedLoops(at, { count, initial: [matrices(at, other!)] }, (inner, turn, [soFar]) => {
        const number = isLeft === isTransposed ? turn : inner.op("Sub", [last, turn]);
        const reflector = storedReflector(inner, { wide, taus }, { rowNumbers, turn: number });
        return [(isLeft ? reflectedColumns : reflected)(inner, soFar!, reflector)];
      });
    },
  });
};

/** A reflection as geqrf leaves it: v without the 1 that it begins with, and without what lies before. */
function storedReflector(
  g: Emitter,
  { wide, taus }: { readonly wide: Val; readonly taus: Val },
  { rowNumbers, turn }: Turn,
): { v: Val; tau: Val } {
  const column = taken(g, wide, { axis: -1, at: turn });
  const below = g.where(g.op("Greater", [rowNumbers, turn]), column, g.scalar("float64", 0));
  return {
    v: g.where(g.op("Equal", [rowNumbers, turn]), g.scalar("float64", 1), below),
    tau: g.op("Gather", [taus, g.unsqueeze(turn, [0])], { axis: -1 }),
  };
}

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
          const reflector = storedReflector(inner, { wide, taus }, { rowNumbers, turn });
          return [reflected(inner, soFar!, reflector)];
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
  "aten.geqrf.default": geqrf,
  "aten.ormqr.default": ormqr,
  "aten.orgqr.default": householderProduct("self", "input2"),
};

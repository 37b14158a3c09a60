import { add, type Dim, sub, sym } from "../../graph/sym.ts";
import { positions } from "../core/arange.ts";
import { countedLoops } from "../core/counted-loop.ts";
import type { Emitter } from "../core/emitter.ts";
import type { Tensor, Val } from "../core/tensor.ts";
import { unsupported } from "../core/unsupported.ts";
import { batchOf, identity, requiring, shapeOf, transposed } from "./matrices.ts";

/** Rotations of 256 rows are 255 products of matrices for each sweep. */
const MOST_ROWS = 256;
/** The rotations converge quadratically: six to ten sweeps are usual, and the loop ends when nothing is left to rotate. */
const SWEEPS = 30;
/** How far from a right angle the products of two columns of 256 elements may be for their rounding alone. */
const ROUNDING = 2 ** -49;

/** The rounds of a tournament in which every two of `size` meet once. With an odd number one rests in each. */
interface Tournament {
  readonly numbers: Val;
  readonly size: Val;
  readonly rounds: Val;
}

function tournamentOf(g: Emitter, size: Dim): Tournament {
  const odd = sub(size, sym("mod", add(size, 1), 2));
  return {
    numbers: positions(g, size),
    size: g.number(size, "int64"),
    rounds: g.number(sym("max", odd, 1), "int64"),
  };
}

/** [size]: whom each meets in a round: those whose numbers add up to twice the round's, and its own number the one that is left over. */
function partnersIn(g: Emitter, { numbers, size, rounds }: Tournament, round: Val): Val {
  const sum = g.op("Sub", [g.op("Add", [round, round]), numbers]);
  const met = g.op("Mod", [sum, rounds], { fmod: 0 });
  const isLast = g.op("Equal", [numbers, rounds]);
  const isRound = g.op("Equal", [numbers, round]);
  const partner = g.where(isLast, round, g.where(isRound, rounds, met));
  return g.where(g.op("Less", [partner, size]), partner, numbers);
}

/** A symmetric matrix whose elements off the diagonal are to vanish, of the values so far. */
type Gram = (g: Emitter, x: Tensor) => Val;
/** What is next to nothing off the diagonal, [..., 1]; undefined where that is only a matter of the two elements on it. */
type Floor = Val | undefined;
/** What a rotation makes of the values: `right` is to be multiplied from the right, `left` from the left. */
type Turned = (g: Emitter, x: Val, rotation: { right: Val; left: Val }) => Val;

/**
 * Rotates pairs of dimensions until they are independent (Jacobi): all pairs of a round at once, as one orthogonal matrix. Returns the
 * values, and the product of the rotations.
 */
export function rotateApart(
  g: Emitter,
  matrix: Tensor,
  { gram, turned, floor }: { gram: Gram; turned: Turned; floor?: Floor },
): { values: Tensor; rotations: Tensor } {
  const size = shapeOf(matrix)[1];
  if (typeof size === "number" && size > MOST_ROWS)
    return unsupported(`a matrix of ${size} rows; those up to ${MOST_ROWS} are translated`);
  const given = finite(g, matrix);
  const tournament = tournamentOf(g, size);
  const { numbers, rounds } = tournament;
  const start = identity(g, size, batchOf(given));
  const quiet = g.scalar("int64", 0);
  const isAlone = g.op("Less", [tournament.size, g.scalar("int64", 2)]);
  const turns = g.op("Mul", [rounds, g.scalar("int64", SWEEPS)]);
  const count = g.where(isAlone, quiet, turns);
  const [values, rotations] = countedLoops(
    g,
    { count, initial: [given, start, quiet] },
    (at, turn, soFar) => {
      const [x, product, rest] = soFar as [Val, Val, Val];
      const round = at.op("Mod", [turn, rounds], { fmod: 0 });
      const partner = partnersIn(at, tournament, round);
      const { right, isIdle } = rotation(at, gram(at, at.typed(x, given.dims)), { partner, numbers, floor });
      const left = transposed(at, at.typed(right, start.dims));
      // A whole sweep without a rotation: nothing is left.
      const idle = at.where(isIdle, at.op("Add", [rest, at.scalar("int64", 1)]), at.scalar("int64", 0));
      return {
        values: [turned(at, x, { right, left }), at.op("MatMul", [product, right]), idle],
        until: at.op("GreaterOrEqual", [idle, rounds]),
      };
    },
  );
  return { values: g.typed(values!, given.dims), rotations: g.typed(rotations!, start.dims) };
}

/** The matrices, in a run that fails where one holds NaN or infinity: PyTorch raises. */
function finite(g: Emitter, given: Tensor): Tensor {
  const isOdd = g.op("Or", [g.op("IsNaN", [given]), g.op("IsInf", [given])]);
  const val = requiring(g, given, { need: "finite numbers", faults: isOdd });
  return g.typed(val, given.dims);
}

interface Pairs {
  /** [size]: with whom each dimension is rotated. */
  readonly partner: Val;
  readonly numbers: Val;
  readonly floor: Floor;
}

/** The matrix that rotates each pair so that the Gram matrix's element of both becomes 0. */
function rotation(g: Emitter, gram: Val, { partner, numbers, floor }: Pairs): { right: Val; isIdle: Val } {
  const [zero, one] = [g.scalar("float64", 0), g.scalar("float64", 1)];
  const isPartner = g.op("Equal", [g.unsqueeze(numbers, [1]), partner]);
  const isSelf = g.op("Equal", [g.unsqueeze(numbers, [1]), numbers]);
  const picked = (where: Val): Val =>
    g.op("ReduceSum", [g.where(where, gram, zero), g.ints([-2])], { keepdims: 0 });
  const [own, shared] = [picked(isSelf), picked(isPartner)];
  const other = g.op("Gather", [own, partner], { axis: -1 });
  const bound = g.op("Sqrt", [g.op("Abs", [g.op("Mul", [own, other])])]);
  const rounding = g.op("Mul", [bound, g.scalar("float64", ROUNDING)]);
  const isNear = g.op("LessOrEqual", [
    g.op("Abs", [shared]),
    floor === undefined ? rounding : g.op("Max", [rounding, floor]),
  ]);
  const isStill = g.op("Or", [
    g.op("Or", [isNear, g.op("Equal", [partner, numbers])]),
    g.op("Equal", [shared, zero]),
  ]);
  const divisor = g.where(isStill, one, g.op("Add", [shared, shared]));
  const theta = g.op("Div", [g.op("Sub", [other, own]), divisor]);
  const isPositive = g.op("Or", [
    g.op("Greater", [theta, zero]),
    g.op("And", [g.op("Equal", [theta, zero]), g.op("Less", [numbers, partner])]),
  ]);
  const sign = g.where(isPositive, one, g.scalar("float64", -1));
  const hypotenuse = g.op("Sqrt", [g.op("Add", [g.op("Mul", [theta, theta]), one])]);
  const tangent = g.where(
    isStill,
    zero,
    g.op("Div", [sign, g.op("Add", [g.op("Abs", [theta]), hypotenuse])]),
  );
  const cosine = g.op("Div", [one, g.op("Sqrt", [g.op("Add", [g.op("Mul", [tangent, tangent]), one])])]);
  const sine = g.op("Mul", [tangent, cosine]);
  const row = (val: Val): Val => g.unsqueeze(val, [-1]);
  const right = g.where(isSelf, row(cosine), g.where(isPartner, row(sine), zero));
  const moves = g.op("ReduceMax", [g.reshape(g.cast(g.op("Not", [isStill]), "int32"), [-1]), g.ints([0])], {
    keepdims: 0,
  });
  return { right, isIdle: g.op("Equal", [moves, g.scalar("int32", 0)]) };
}

/** The symmetric matrix that `given`'s lower or upper triangle describes. */
export function symmetric(g: Emitter, given: Tensor, upper: 0 | 1): Tensor {
  const kept = g.op("Trilu", [given], { upper });
  const rest = g.op("Trilu", [given, g.scalar("int64", upper === 1 ? 1 : -1)], { upper });
  return g.typed(g.op("Add", [kept, transposed(g, g.typed(rest, given.dims))]), given.dims);
}

/** A row of factors on the columns of a matrix. */
export function scaledColumns(g: Emitter, x: Val, factors: Val): Val {
  return g.op("Mul", [x, g.unsqueeze(factors, [-2])]);
}

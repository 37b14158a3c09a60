import { countedLoops } from "../core/counted-loop.ts";
import type { Emitter } from "../core/emitter.ts";
import type { Lowering, LoweringTable } from "../core/lowering.ts";
import type { Val } from "../core/tensor.ts";
import { log1p } from "./float-math.ts";
import { lgamma } from "./special-functions.ts";

/** The share of the gamma function's integral below a bound, and above it: each is exact where it is the smaller one. */
interface Shares {
  readonly lower: Val;
  readonly upper: Val;
}

const number = (g: Emitter, value: number): Val => g.scalar("float64", value);

/** From here on the integral is calculated point by point; below it a series or a continued fraction ends in good time. */
const LARGE = 100;

/** Enough for shapes up to `LARGE`: terms fall as exp(-n² / 2a). */
const TERMS = 160;

/**
 * aten::igamma(Tensor self, Tensor other) -> Tensor
 * aten::igammac(Tensor self, Tensor other) -> Tensor
 *
 * The regularised incomplete gamma functions, with the limits that PyTorch has (at::native calc_igamma).
 */
function incompleteGamma(side: "lower" | "upper"): Lowering {
  return (node, g) => {
    if (node.out().declared === "float64")
      g.warn("igamma is exact to 1e-11 although the program asks for float64");
    const [a, x] = [g.as(node.operand("self"), "float64"), g.as(node.operand("other"), "float64")];
    const [zero, one] = [number(g, 0), number(g, 1)];
    const isPlain = g.op("And", [
      g.op("And", [isPositive(g, a), isPositive(g, x)]),
      g.op("Not", [g.op("Or", [g.op("IsInf", [a]), g.op("IsInf", [x])])]),
    ]);
    const shape = g.where(isPlain, a, one);
    const bound = g.where(isPlain, x, one);
    const [none, all] = side === "lower" ? [zero, one] : [one, zero];
    const limits = limitsOf(g, { a, x, none, all });
    const shares = sharesOf(g, { a: shape, x: bound, rank: node.out().dims.length });
    return g.where(isPlain, shares[side], limits);
  };
}

function isPositive(g: Emitter, x: Val): Val {
  return g.op("Greater", [x, number(g, 0)]);
}

interface Limits {
  readonly a: Val;
  readonly x: Val;
  /** What it is at the beginning of the integral, and at its end. */
  readonly none: Val;
  readonly all: Val;
}

/** What it is where an argument is 0, infinite, negative or NaN, asked in PyTorch's order. */
function limitsOf(g: Emitter, { a, x, none, all }: Limits): Val {
  const zero = number(g, 0);
  const isInfinite = g.op("IsInf", [a]);
  const isFar = g.op("IsInf", [x]);
  const nan = number(g, Number.NaN);
  const atFar = g.where(isFar, all, nan);
  const atInfinite = g.where(isInfinite, g.where(isFar, nan, none), atFar);
  const atBound = g.where(g.op("Equal", [x, zero]), none, atInfinite);
  const known = g.where(g.op("Equal", [a, zero]), g.where(isPositive(g, x), all, nan), atBound);
  const isNegative = g.op("Or", [g.op("Less", [a, zero]), g.op("Less", [x, zero])]);
  return g.where(isNegative, nan, known);
}

interface Arguments {
  readonly a: Val;
  readonly x: Val;
  /** Of both together. */
  readonly rank: number;
}

/** For positive, finite arguments. */
function sharesOf(g: Emitter, { a, x, rank }: Arguments): Shares {
  const one = number(g, 1);
  const isLarge = g.op("GreaterOrEqual", [a, number(g, LARGE)]);
  const isSeries = g.op("LessOrEqual", [x, g.op("Add", [a, one])]);
  const small = g.where(isLarge, one, a);
  // Each way gets arguments that it ends for, wherever its result is not taken.
  const series = bySeries(g, small, g.op("Min", [x, g.op("Add", [small, one])]));
  const fraction = byFraction(g, small, g.op("Max", [x, g.op("Add", [small, one])]));
  const large = byQuadrature(g, { a: g.where(isLarge, a, number(g, LARGE)), x, rank });
  const pick = (side: keyof Shares): Val =>
    g.where(isLarge, large[side], g.where(isSeries, series[side], fraction[side]));
  return { lower: pick("lower"), upper: pick("upper") };
}

/** x^a e^-x / Γ(a) */
function front(g: Emitter, a: Val, x: Val): Val {
  const power = g.op("Sub", [g.op("Mul", [a, g.op("Log", [x])]), x]);
  return g.op("Exp", [g.op("Sub", [power, lgamma(g, a)])]);
}

function withRest(g: Emitter, share: Val, side: keyof Shares): Shares {
  const rest = g.op("Sub", [number(g, 1), share]);
  return side === "lower" ? { lower: share, upper: rest } : { lower: rest, upper: share };
}

/** Σ xⁿ / (a (a+1) … (a+n)) */
function bySeries(g: Emitter, a: Val, x: Val): Shares {
  const count = g.scalar("int64", TERMS);
  const first = g.op("Add", [g.op("Div", [number(g, 1), a]), g.op("Mul", [x, number(g, 0)])]);
  const [, sum] = countedLoops(g, { count, initial: [first, first] }, (at, turn, [term, soFar]) => {
    const next = at.op("Add", [at.cast(turn, "float64"), number(at, 1)]);
    const smaller = at.op("Mul", [term!, at.op("Div", [x, at.op("Add", [a, next])])]);
    return [smaller, at.op("Add", [soFar!, smaller])];
  });
  return withRest(g, g.op("Mul", [front(g, a, x), sum!]), "lower");
}

/** Lentz's way through 1 / (x+1-a - 1(1-a) / (x+3-a - 2(2-a) / …)) */
function byFraction(g: Emitter, a: Val, x: Val): Shares {
  const one = number(g, 1);
  const start = g.op("Sub", [g.op("Add", [x, one]), a]);
  const inverse = g.op("Div", [one, start]);
  const far = g.op("Add", [g.op("Mul", [start, number(g, 0)]), number(g, 1e300)]);
  const count = g.scalar("int64", TERMS);
  const [, , product] = countedLoops(
    g,
    { count, initial: [far, inverse, inverse] },
    (at, turn, [c, d, h]) => {
      const n = at.op("Add", [at.cast(turn, "float64"), number(at, 1)]);
      const numerator = at.op("Mul", [n, at.op("Sub", [a, n])]);
      const part = at.op("Add", [start, at.op("Mul", [n, number(at, 2)])]);
      const below = at.op("Div", [
        number(at, 1),
        notZero(at, at.op("Add", [part, at.op("Mul", [numerator, d!])])),
      ]);
      const above = notZero(at, at.op("Add", [part, at.op("Div", [numerator, c!])]));
      return [above, below, at.op("Mul", [h!, at.op("Mul", [above, below])])];
    },
  );
  return withRest(g, g.op("Mul", [front(g, a, x), product!]), "upper");
}

function notZero(g: Emitter, x: Val): Val {
  return g.where(g.op("Equal", [x, number(g, 0)]), number(g, 1e-300), x);
}

/** Points and weights of Gauss' and Legendre's rule between 0 and 1. */
function gaussLegendre(count: number): { points: number[]; weights: number[] } {
  const [points, weights]: [number[], number[]] = [[], []];
  for (let i = 0; i < count; i++) {
    let z = Math.cos((Math.PI * (i + 0.75)) / (count + 0.5));
    let slope = 1;
    for (let step = 0; step < 20; step++) {
      let [p, before] = [1, 0];
      for (let n = 1; n <= count; n++) [p, before] = [((2 * n - 1) * z * p - (n - 1) * before) / n, p];
      slope = (count * (z * p - before)) / (z * z - 1);
      z -= p / slope;
    }
    points.push((1 - z) / 2);
    weights.push(1 / ((1 - z * z) * slope * slope));
  }
  return { points, weights };
}

const RULE = gaussLegendre(40);

/** How far from its top the integrand counts, in its widths. */
const REACH = 11.5;

/** The integral from the bound away from the integrand's top, or over it, to where nothing is left of it. */
function byQuadrature(g: Emitter, { a, x, rank }: Arguments): Shares {
  const one = number(g, 1);
  const top = g.op("Sub", [a, one]);
  const width = g.op("Sqrt", [top]);
  const reach = (from: Val, widths: number): Val =>
    g.op("Add", [from, g.op("Mul", [width, number(g, widths)])]);
  const isAbove = g.op("Greater", [x, top]);
  const end = g.where(
    isAbove,
    g.op("Max", [reach(top, REACH), reach(x, 6)]),
    g.op("Max", [number(g, 0), g.op("Min", [reach(top, -REACH + 4), reach(x, -6)])]),
  );
  const span = g.op("Sub", [end, x]);
  const along = (values: readonly number[]): Val => g.constant("float64", values, [values.length]);
  // Counted from the front: of nothing ONNX Runtime sums the wrong dimension otherwise.
  const sum = (terms: Val): Val => g.op("ReduceSum", [terms, g.ints([rank])], { keepdims: 0 });
  const t = g.op("Add", [g.unsqueeze(x, [-1]), g.op("Mul", [g.unsqueeze(span, [-1]), along(RULE.points)])]);
  const wideTop = g.unsqueeze(top, [-1]);
  const off = g.op("Div", [g.op("Sub", [t, wideTop]), wideTop]);
  const exponent = g.op("Mul", [wideTop, g.op("Sub", [log1p(g, off), off])]);
  const heights = g.op("Exp", [exponent]);
  const area = sum(g.op("Mul", [heights, along(RULE.weights)]));
  const share = g.op("Mul", [g.op("Abs", [g.op("Mul", [area, span])]), topHeight(g, top)]);
  const above = g.where(isAbove, share, g.op("Sub", [one, share]));
  const below = g.where(isAbove, g.op("Sub", [one, share]), share);
  return { lower: below, upper: above };
}

/** t^t e^-t / Γ(t + 1), by Stirling's series. */
function topHeight(g: Emitter, t: Val): Val {
  const inverse = g.op("Div", [number(g, 1), t]);
  const square = g.op("Mul", [inverse, inverse]);
  const series = g.op("Mul", [
    inverse,
    g.op("Sub", [number(g, 1 / 12), g.op("Mul", [square, number(g, 1 / 360)])]),
  ]);
  const root = g.op("Sqrt", [g.op("Mul", [t, number(g, 2 * Math.PI)])]);
  return g.op("Div", [g.op("Exp", [g.op("Neg", [series])]), root]);
}

export const INCOMPLETE_GAMMA: LoweringTable = {
  "aten.igamma.default": incompleteGamma("lower"),
  "aten.igammac.default": incompleteGamma("upper"),
};

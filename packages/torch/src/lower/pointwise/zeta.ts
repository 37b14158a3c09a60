import { countedLoops } from "../core/counted-loop.ts";
import type { Emitter } from "../core/emitter.ts";
import { all, type Lowering, type LoweringTable } from "../core/lowering.ts";
import { requirement } from "../core/requirement.ts";
import type { Val } from "../core/tensor.ts";

const number = (g: Emitter, value: number): Val => g.scalar("float64", value);

/** Terms are added one by one up to here; then the rest follows from their derivatives. */
const ENOUGH = 9;
/** How many terms data may ask for. */
const MOST_TERMS = 4096;
/** Below this share of the sum, a term says that nothing comes after it. */
const NOTHING = 2 ** -53;

/** B(2i) / (2i)! for i = 1, 2, …: Euler and Maclaurin's coefficients. */
const BERNOULLI = [
  1 / 6,
  -1 / 30,
  1 / 42,
  -1 / 30,
  5 / 66,
  -691 / 2730,
  7 / 6,
  -3617 / 510,
  43867 / 798,
  -174611 / 330,
  854513 / 138,
  -236364091 / 2730,
];

function factorial(n: number): number {
  return n < 2 ? 1 : n * factorial(n - 1);
}

/** Σ (q + i)^-x over i = 0, 1, …, of float64 tensors that broadcast: Hurwitz' zeta function. */
function zeta(g: Emitter, x: Val, q: Val): Val {
  const power = (at: Emitter, base: Val): Val => at.op("Pow", [base, at.op("Neg", [x])]);
  const isTooMuch = g.op("Less", [q, number(g, ENOUGH - MOST_TERMS)]);
  const guard = requirement(g, "arguments from -4087 on", isTooMuch);
  const flat = g.op("Concat", [g.reshape(q, [-1]), g.constant("float64", [0], [1])], { axis: 0 });
  const least = g.op("ReduceMin", [flat, g.ints([0])], { keepdims: 0 });
  const terms = g.op("Ceil", [g.op("Sub", [number(g, ENOUGH + 1), least])]);
  const count = g.op("Add", [g.cast(terms, "int64"), guard]);
  const [last, sum] = countedLoops(g, { count, initial: [q, power(g, q)] }, (inner, turn, [a, s]) => {
    const isEarly = inner.op("Less", [turn, inner.scalar("int64", ENOUGH)]);
    const isSmall = inner.op("LessOrEqual", [a!, number(inner, ENOUGH)]);
    const goesOn = inner.op("Or", [isEarly, isSmall]);
    const next = inner.op("Add", [a!, number(inner, 1)]);
    const larger = inner.op("Add", [s!, power(inner, next)]);
    return [inner.where(goesOn, next, a!), inner.where(goesOn, larger, s!)];
  });
  const total = g.op("Add", [sum!, rest(g, { x, w: last!, sum: sum! })]);
  return atPoles(g, { x, q, total });
}

/** ∫ from w on, less half of the last term, and corrections. */
function rest(g: Emitter, { x, w, sum }: { readonly x: Val; readonly w: Val; readonly sum: Val }): Val {
  const b = g.op("Pow", [w, g.op("Neg", [x])]);
  const one = number(g, 1);
  let tail = g.op("Sub", [
    g.op("Div", [g.op("Mul", [b, w]), g.op("Sub", [x, one])]),
    g.op("Mul", [b, number(g, 0.5)]),
  ]);
  let factor = b;
  for (const [i, bernoulli] of BERNOULLI.entries()) {
    const rise = (k: number): Val => g.op("Add", [x, number(g, k)]);
    factor = g.op("Div", [g.op("Mul", [factor, rise(2 * i)]), w]);
    tail = g.op("Add", [tail, g.op("Mul", [factor, number(g, bernoulli / factorial(2 * i + 2))])]);
    factor = g.op("Div", [g.op("Mul", [factor, rise(2 * i + 1)]), w]);
  }
  const isNothing = g.op("Less", [g.op("Abs", [b]), g.op("Mul", [g.op("Abs", [sum]), number(g, NOTHING)])]);
  return g.where(isNothing, number(g, 0), tail);
}

function atPoles(
  g: Emitter,
  { x, q, total }: { readonly x: Val; readonly q: Val; readonly total: Val },
): Val {
  const [infinite, nan] = [number(g, Number.POSITIVE_INFINITY), number(g, Number.NaN)];
  const isWhole = (val: Val): Val => g.op("Equal", [val, g.op("Floor", [val])]);
  const isLeft = g.op("LessOrEqual", [q, number(g, 0)]);
  const isRoot = g.op("And", [isLeft, g.op("Not", [isWhole(x)])]);
  const left = g.where(g.op("And", [isLeft, isWhole(q)]), infinite, g.where(isRoot, nan, total));
  const below = g.where(g.op("Less", [x, number(g, 1)]), nan, left);
  return g.where(g.op("Equal", [x, number(g, 1)]), infinite, below);
}

/**
 * aten::special_zeta(Tensor self, Tensor other) -> Tensor
 * aten::special_zeta.other_scalar(Tensor self, Scalar other) -> Tensor
 * aten::special_zeta.self_scalar(Scalar self, Tensor other) -> Tensor
 */
const hurwitz: Lowering = (node, g) => {
  const [x, q] = ["self", "other"].map((name) => g.as(node.operand(name), "float64"));
  const whole = (val: Val): Val => g.expand(val, node.out().dims);
  return zeta(g, whole(x!), whole(q!));
};

/** π² / sin²(πx) - ζ(2, 1 - x) left of a half: πx rounded as PyTorch's is, so that its poles are large and finite, too. */
const trigamma: Lowering = (node, g) => {
  const { dtype, dims } = node.out();
  const given = g.cast(node.tensor("self"), dtype);
  const x = g.cast(given, "float64");
  const isLeft = g.op("Less", [x, number(g, 0.5)]);
  const right = zeta(g, g.expand(number(g, 2), dims), g.where(isLeft, g.op("Sub", [number(g, 1), x]), x));
  const angle = g.cast(g.op("Mul", [given, g.scalar(dtype, Math.PI)]), "float64");
  const ratio = g.op("Div", [number(g, Math.PI), g.op("Sin", [angle])]);
  return g.where(isLeft, g.op("Sub", [g.op("Mul", [ratio, ratio]), right]), right);
};

/**
 * aten::polygamma(int n, Tensor self) -> Tensor
 * aten::special_polygamma(int n, Tensor self) -> Tensor
 *
 * (-1)^(n+1) · n! · ζ(n + 1, x) from n = 1 on.
 */
const polygamma =
  (digamma: Lowering): Lowering =>
  (node, g) => {
    const n = node.int("n");
    if (n === 0) return digamma(node, g);
    if (n === 1) return trigamma(node, g);
    const x = g.cast(node.tensor("self"), "float64");
    const value = zeta(g, g.expand(number(g, n + 1), node.out().dims), x);
    return g.op("Mul", [value, number(g, (n % 2 === 1 ? 1 : -1) * factorial(n))]);
  };

/** `digamma` is polygamma's n = 0. */
export const zetaFunctions = (digamma: Lowering): LoweringTable => ({
  ...all("special_zeta", hurwitz, ["default", "other_scalar", "self_scalar"]),
  "aten.polygamma.default": polygamma(digamma),
  "aten.special_polygamma.default": polygamma(digamma),
});

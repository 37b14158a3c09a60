import { countedLoops } from "../core/counted-loop.ts";
import type { Emitter } from "../core/emitter.ts";
import { all, type Lowering, type LoweringTable } from "../core/lowering.ts";
import { requirement } from "../core/requirement.ts";
import type { Val } from "../core/tensor.ts";

/** What of degree k - 1 and k - 2 makes a polynomial of degree k, all float64: `q` and `p` are those, `k` the degree. */
interface Recurrence {
  /** Of degree 1. */
  first(g: Emitter, x: Val): Val;
  next(g: Emitter, terms: { readonly x: Val; readonly q: Val; readonly p: Val; readonly k: Val }): Val;
  /** PyTorch gives NaN beyond this degree in float32. */
  readonly most?: number;
}

const number = (g: Emitter, value: number): Val => g.scalar("float64", value);
const plus = (g: Emitter, a: Val, b: Val): Val => g.op("Add", [a, b]);
const minus = (g: Emitter, a: Val, b: Val): Val => g.op("Sub", [a, b]);
const times = (g: Emitter, a: Val, b: Val): Val => g.op("Mul", [a, b]);
const twice = (g: Emitter, x: Val): Val => times(g, x, number(g, 2));

/** Chebyshev's four kinds differ in their degree 1: factor · x + offset. */
const chebyshev = (factor: number, offset: number): Recurrence => ({
  first: (g, x) => plus(g, times(g, x, number(g, factor)), number(g, offset)),
  next: (g, { x, q, p }) => minus(g, times(g, twice(g, x), q), p),
});

/** The same over [0, 1]. */
const shifted = (factor: number, offset: number): Recurrence => {
  const plain = chebyshev(factor, offset);
  const moved = (g: Emitter, x: Val): Val => minus(g, twice(g, x), number(g, 1));
  return {
    first: (g, x) => plain.first(g, moved(g, x)),
    next: (g, { x, ...terms }) => plain.next(g, { ...terms, x: moved(g, x) }),
  };
};

/** Hermite's polynomials of physicists (2) and of statisticians (1). */
const hermite = (factor: 1 | 2): Recurrence => ({
  first: (g, x) => times(g, x, number(g, factor)),
  next: (g, { x, q, p, k }) => {
    const before = times(g, minus(g, k, number(g, 1)), p);
    const [a, b] = [times(g, x, q), before];
    return factor === 2 ? minus(g, twice(g, a), twice(g, b)) : minus(g, a, b);
  },
  most: 128,
});

const laguerre: Recurrence = {
  first: (g, x) => minus(g, number(g, 1), x),
  next: (g, { x, q, p, k }) => {
    const before = minus(g, k, number(g, 1));
    const factor = minus(g, plus(g, twice(g, before), number(g, 1)), x);
    return g.op("Div", [minus(g, times(g, factor, q), times(g, before, p)), k]);
  },
};

const legendre: Recurrence = {
  first: (_, x) => x,
  next: (g, { x, q, p, k }) => {
    const before = minus(g, k, number(g, 1));
    const factor = times(g, plus(g, twice(g, before), number(g, 1)), x);
    return g.op("Div", [minus(g, times(g, factor, q), times(g, before, p)), k]);
  },
};

/** A degree that data ask for is calculated up to here. */
const MOST_DEGREE = 4096;

/**
 * aten::special_chebyshev_polynomial_t(Tensor x, Tensor n) -> Tensor
 * aten::special_chebyshev_polynomial_t.n_scalar(Tensor x, Scalar n) -> Tensor
 * aten::special_chebyshev_polynomial_t.x_scalar(Scalar x, Tensor n) -> Tensor
 * aten::special_chebyshev_polynomial_u(Tensor x, Tensor n) -> Tensor
 * aten::special_chebyshev_polynomial_u.n_scalar(Tensor x, Scalar n) -> Tensor
 * aten::special_chebyshev_polynomial_u.x_scalar(Scalar x, Tensor n) -> Tensor
 * aten::special_chebyshev_polynomial_v(Tensor x, Tensor n) -> Tensor
 * aten::special_chebyshev_polynomial_v.n_scalar(Tensor x, Scalar n) -> Tensor
 * aten::special_chebyshev_polynomial_v.x_scalar(Scalar x, Tensor n) -> Tensor
 * aten::special_chebyshev_polynomial_w(Tensor x, Tensor n) -> Tensor
 * aten::special_chebyshev_polynomial_w.n_scalar(Tensor x, Scalar n) -> Tensor
 * aten::special_chebyshev_polynomial_w.x_scalar(Scalar x, Tensor n) -> Tensor
 * aten::special_shifted_chebyshev_polynomial_t(Tensor x, Tensor n) -> Tensor
 * aten::special_shifted_chebyshev_polynomial_t.n_scalar(Tensor x, Scalar n) -> Tensor
 * aten::special_shifted_chebyshev_polynomial_t.x_scalar(Scalar x, Tensor n) -> Tensor
 * aten::special_shifted_chebyshev_polynomial_u(Tensor x, Tensor n) -> Tensor
 * aten::special_shifted_chebyshev_polynomial_u.n_scalar(Tensor x, Scalar n) -> Tensor
 * aten::special_shifted_chebyshev_polynomial_u.x_scalar(Scalar x, Tensor n) -> Tensor
 * aten::special_shifted_chebyshev_polynomial_v(Tensor x, Tensor n) -> Tensor
 * aten::special_shifted_chebyshev_polynomial_v.n_scalar(Tensor x, Scalar n) -> Tensor
 * aten::special_shifted_chebyshev_polynomial_v.x_scalar(Scalar x, Tensor n) -> Tensor
 * aten::special_shifted_chebyshev_polynomial_w(Tensor x, Tensor n) -> Tensor
 * aten::special_shifted_chebyshev_polynomial_w.n_scalar(Tensor x, Scalar n) -> Tensor
 * aten::special_shifted_chebyshev_polynomial_w.x_scalar(Scalar x, Tensor n) -> Tensor
 * aten::special_hermite_polynomial_h(Tensor x, Tensor n) -> Tensor
 * aten::special_hermite_polynomial_h.n_scalar(Tensor x, Scalar n) -> Tensor
 * aten::special_hermite_polynomial_h.x_scalar(Scalar x, Tensor n) -> Tensor
 * aten::special_hermite_polynomial_he(Tensor x, Tensor n) -> Tensor
 * aten::special_hermite_polynomial_he.n_scalar(Tensor x, Scalar n) -> Tensor
 * aten::special_hermite_polynomial_he.x_scalar(Scalar x, Tensor n) -> Tensor
 * aten::special_laguerre_polynomial_l(Tensor x, Tensor n) -> Tensor
 * aten::special_laguerre_polynomial_l.n_scalar(Tensor x, Scalar n) -> Tensor
 * aten::special_laguerre_polynomial_l.x_scalar(Scalar x, Tensor n) -> Tensor
 * aten::special_legendre_polynomial_p(Tensor x, Tensor n) -> Tensor
 * aten::special_legendre_polynomial_p.n_scalar(Tensor x, Scalar n) -> Tensor
 * aten::special_legendre_polynomial_p.x_scalar(Scalar x, Tensor n) -> Tensor
 *
 * Each element has its own degree, cut to an integer; below 0 the polynomial is 0.
 */
const orthogonal =
  ({ first, next, most }: Recurrence): Lowering =>
  (node, g) => {
    const { dims, declared } = node.out();
    const whole = (val: Val): Val => g.expand(val, dims);
    const x = whole(g.as(node.operand("x"), "float64"));
    const degree = g.op("Floor", [g.op("Abs", [g.as(node.operand("n"), "float64")])]);
    const sign = g.op("Sign", [g.as(node.operand("n"), "float64")]);
    const n = times(g, degree, sign);
    const isTooMuch = g.op("Greater", [n, number(g, MOST_DEGREE)]);
    const guard = requirement(g, "degrees up to 4096", isTooMuch);
    const flat = g.op("Concat", [g.reshape(n, [-1]), g.constant("float64", [1], [1])], { axis: 0 });
    const highest = g.cast(g.op("ReduceMax", [flat, g.ints([0])], { keepdims: 0 }), "int64");
    const count = g.op("Add", [g.op("Sub", [highest, g.scalar("int64", 1)]), guard]);
    const [, found] = countedLoops(
      g,
      { count, initial: [whole(number(g, 1)), first(g, x)] },
      (inner, turn, [p, q]) => {
        const k = plus(inner, inner.cast(turn, "float64"), number(inner, 2));
        const goesOn = inner.op("LessOrEqual", [k, n]);
        const following = next(inner, { x, q: q!, p: p!, k });
        return [inner.where(goesOn, q!, p!), inner.where(goesOn, following, q!)];
      },
    );
    const limit = most !== undefined && declared === "float64" ? 4 * most : most;
    const value =
      limit === undefined
        ? found!
        : g.where(g.op("Greater", [n, number(g, limit)]), number(g, Number.NaN), found!);
    const isConstant = g.op("Equal", [n, number(g, 0)]);
    const result = g.where(isConstant, number(g, 1), value);
    return whole(g.where(g.op("Less", [n, number(g, 0)]), number(g, 0), result));
  };

const named = (name: string, recurrence: Recurrence): LoweringTable =>
  all(`special_${name}`, orthogonal(recurrence), ["default", "n_scalar", "x_scalar"]);

export const ORTHOGONAL_POLYNOMIALS: LoweringTable = {
  ...named("chebyshev_polynomial_t", chebyshev(1, 0)),
  ...named("chebyshev_polynomial_u", chebyshev(2, 0)),
  ...named("chebyshev_polynomial_v", chebyshev(2, -1)),
  ...named("chebyshev_polynomial_w", chebyshev(2, 1)),
  ...named("shifted_chebyshev_polynomial_t", shifted(1, 0)),
  ...named("shifted_chebyshev_polynomial_u", shifted(2, 0)),
  ...named("shifted_chebyshev_polynomial_v", shifted(2, -1)),
  ...named("shifted_chebyshev_polynomial_w", shifted(2, 1)),
  ...named("hermite_polynomial_h", hermite(2)),
  ...named("hermite_polynomial_he", hermite(1)),
  ...named("laguerre_polynomial_l", laguerre),
  ...named("legendre_polynomial_p", legendre),
};

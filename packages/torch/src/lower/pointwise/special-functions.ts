import type { Emitter } from "../core/emitter.ts";
import type { Lowering, LoweringTable } from "../core/lowering.ts";
import type { Val } from "../core/tensor.ts";
import { unsupported } from "../core/unsupported.ts";
import { BESSEL_FUNCTIONS } from "./bessel.ts";
import { log1p, polynomial } from "./float-math.ts";
import { ORTHOGONAL_POLYNOMIALS } from "./orthogonal-polynomials.ts";
import { zetaFunctions } from "./zeta.ts";

/**
 * aten::special_i0e(Tensor self) -> Tensor
 * aten::special_i1(Tensor self) -> Tensor
 * aten::special_i1e(Tensor self) -> Tensor
 * aten::special_modified_bessel_i0(Tensor self) -> Tensor
 * aten::special_modified_bessel_i1(Tensor self) -> Tensor
 *
 * An op whose formula is calculated in float64 and is exact to about `precision`. float32 results lose nothing; a program in float64
 * is told.
 */
function approximated(name: string, formula: (g: Emitter, x: Val) => Val, precision = 2e-7): Lowering {
  return (node, g) => {
    const { declared } = node.out();
    if (declared === "float64" && precision > 1e-12) {
      g.warn(`${name} is exact to ${precision} although the program asks for float64`);
    }
    return formula(g, g.cast(node.tensor("self"), "float64"));
  };
}

const constant = (g: Emitter, value: number): Val => g.scalar("float64", value);

/** e^(x²)·erfc(x) for x ≥ 0, to 1.2e-7: the Chebyshev fit of Numerical Recipes' erfcc. */
const ERFC = [
  0.17087277, -0.82215223, 1.48851587, -1.13520398, 0.27886807, -0.18628806, 0.09678418, 0.37409196,
  1.00002368, -1.26551223,
];

function scaledErfc(g: Emitter, size: Val): Val {
  const t = g.op("Div", [
    constant(g, 1),
    g.op("Add", [g.op("Mul", [size, constant(g, 0.5)]), constant(g, 1)]),
  ]);
  return g.op("Mul", [t, g.op("Exp", [polynomial(g, t, ERFC)])]);
}

/** aten::erfc(Tensor self) -> Tensor, with small relative errors where 1 - erf(x) has none left */
function erfc(g: Emitter, x: Val): Val {
  const size = g.op("Abs", [x]);
  const tail = g.op("Mul", [scaledErfc(g, size), g.op("Exp", [g.op("Neg", [g.op("Mul", [x, x])])])]);
  return g.where(g.op("Less", [x, constant(g, 0)]), g.op("Sub", [constant(g, 2), tail]), tail);
}

/** aten::special_erfcx(Tensor self) -> Tensor: e^(x²)·erfc(x) */
function erfcx(g: Emitter, x: Val): Val {
  const tail = scaledErfc(g, g.op("Abs", [x]));
  const twice = g.op("Mul", [g.op("Exp", [g.op("Mul", [x, x])]), constant(g, 2)]);
  return g.where(g.op("Less", [x, constant(g, 0)]), g.op("Sub", [twice, tail]), tail);
}

/** aten::special_ndtr(Tensor self) -> Tensor: the normal distribution's area up to x */
function ndtr(g: Emitter, x: Val): Val {
  return g.op("Mul", [erfc(g, g.op("Mul", [x, constant(g, -Math.SQRT1_2)])), constant(g, 0.5)]);
}

/** aten::special_log_ndtr(Tensor self) -> Tensor */
function logNdtr(g: Emitter, x: Val): Val {
  const t = g.op("Mul", [x, constant(g, Math.SQRT1_2)]);
  const left = g.op("Sub", [
    g.op("Log", [g.op("Mul", [scaledErfc(g, g.op("Abs", [t])), constant(g, 0.5)])]),
    g.op("Mul", [t, t]),
  ]);
  const right = log1p(g, g.op("Mul", [erfc(g, t), constant(g, -0.5)]));
  return g.where(g.op("Less", [x, constant(g, -1)]), left, right);
}

/** Giles' approximation (GPU Computing Gems, 2011) for float32: near the middle, and towards the ends. */
const ERFINV_MIDDLE = [
  2.81022636e-8, 3.43273939e-7, -3.5233877e-6, -4.39150654e-6, 0.00021858087, -0.00125372503, -0.00417768164,
  0.246640727, 1.50140941,
];
const ERFINV_END = [
  -0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773, -0.0076224613, 0.00943887047,
  1.00167406, 2.83297682,
];

/** aten::erfinv(Tensor self) -> Tensor */
export const erfinv: Lowering = (node, g) => {
  if (node.out().declared === "float64") unsupported("erfinv in float64; float32 works");
  const x = g.cast(node.tensor("self"), "float64");
  const one = constant(g, 1);
  const w = g.op("Neg", [g.op("Log", [g.op("Mul", [g.op("Sub", [one, x]), g.op("Add", [one, x])])])]);
  const middle = polynomial(g, g.op("Sub", [w, constant(g, 2.5)]), ERFINV_MIDDLE);
  const end = polynomial(g, g.op("Sub", [g.op("Sqrt", [w]), constant(g, 3)]), ERFINV_END);
  const factor = g.where(g.op("Less", [w, constant(g, 5)]), middle, end);
  const isEnd = g.op("Equal", [g.op("Abs", [x]), one]);
  return g.op("Mul", [x, g.where(isEnd, constant(g, Number.POSITIVE_INFINITY), factor)]);
};

/** Lanczos' coefficients for g = 7, n = 9: exact to 1e-15. */
const LANCZOS = [
  676.5203681218851, -1259.1392167224028, 771.3234287776531, -176.6150291621406, 12.507343278686905,
  -0.13857109526572012, 9.984369578019572e-6, 1.5056327351493116e-7,
];

/** aten::lgamma(Tensor self) -> Tensor: the logarithm of |Γ(x)| */
export function lgamma(g: Emitter, x: Val): Val {
  const [half, one] = [constant(g, 0.5), constant(g, 1)];
  const isLeft = g.op("Less", [x, half]);
  const right = lanczos(g, g.where(isLeft, g.op("Sub", [one, x]), x));
  const fraction = g.op("Sub", [x, g.op("Round", [x])]);
  const sine = g.op("Abs", [g.op("Sin", [g.op("Mul", [fraction, constant(g, Math.PI)])])]);
  const reflected = g.op("Sub", [g.op("Log", [g.op("Div", [constant(g, Math.PI), sine])]), right]);
  const isInfinite = g.op("IsInf", [x]);
  return g.where(isInfinite, constant(g, Number.POSITIVE_INFINITY), g.where(isLeft, reflected, right));
}

/** log Γ(x) for x ≥ 1/2 */
function lanczos(g: Emitter, x: Val): Val {
  const below = g.op("Sub", [x, constant(g, 1)]);
  const series = LANCZOS.reduce<Val>(
    (sum, c, i) =>
      g.op("Add", [sum, g.op("Div", [constant(g, c), g.op("Add", [below, constant(g, i + 1)])])]),
    constant(g, 0.9999999999998099),
  );
  const t = g.op("Add", [below, constant(g, 7.5)]);
  const power = g.op("Mul", [g.op("Add", [below, constant(g, 0.5)]), g.op("Log", [t])]);
  const sum = g.op("Add", [g.op("Sub", [power, t]), g.op("Log", [series])]);
  return g.op("Add", [sum, constant(g, 0.5 * Math.log(2 * Math.PI))]);
}

/** aten::mvlgamma(Tensor self, int p) -> Tensor */
export const mvlgamma: Lowering = (node, g) => {
  const p = node.int("p");
  const x = g.cast(node.tensor("self"), "float64");
  const start = constant(g, (p * (p - 1) * Math.log(Math.PI)) / 4);
  return Array.from({ length: p }, (_, i) => i).reduce<Val>(
    (sum, i) => g.op("Add", [sum, lgamma(g, g.op("Sub", [x, constant(g, i / 2)]))]),
    start,
  );
};

/** Bernoulli terms of the digamma function's asymptotic series, in 1/x². */
const DIGAMMA = [1 / 12, -691 / 32760, 1 / 132, -1 / 240, 1 / 252, -1 / 120, 1 / 12, 0];

/** aten::digamma(Tensor self) -> Tensor: at 0 an infinity of the opposite sign, NaN at negative integers */
function digamma(g: Emitter, x: Val): Val {
  const [zero, one] = [constant(g, 0), constant(g, 1)];
  const isLeft = g.op("Less", [x, constant(g, 0.5)]);
  const right = digammaRight(g, g.where(isLeft, g.op("Sub", [one, x]), x));
  const fraction = g.op("Sub", [x, g.op("Round", [x])]);
  const turn = g.op("Mul", [fraction, constant(g, Math.PI)]);
  const cotangent = g.op("Div", [g.op("Cos", [turn]), g.op("Sin", [turn])]);
  const reflected = g.op("Sub", [right, g.op("Mul", [cotangent, constant(g, Math.PI)])]);
  const isPole = g.op("And", [g.op("Less", [x, zero]), g.op("Equal", [fraction, zero])]);
  const left = g.where(isPole, constant(g, Number.NaN), reflected);
  const atZero = g.op("Neg", [g.op("Div", [one, x])]);
  return g.where(g.op("Equal", [x, zero]), atZero, g.where(isLeft, left, right));
}

/** ψ(x) for x ≥ 1/2: eight steps up, then the asymptotic series. */
function digammaRight(g: Emitter, x: Val): Val {
  const one = constant(g, 1);
  const steps = Array.from({ length: 8 }, (_, i) => g.op("Div", [one, g.op("Add", [x, constant(g, i)])]));
  const below = steps.reduce((a, b) => g.op("Add", [a, b]));
  const y = g.op("Add", [x, constant(g, 8)]);
  const inverse = g.op("Div", [one, y]);
  const series = polynomial(g, g.op("Mul", [inverse, inverse]), DIGAMMA);
  const log = g.op("Sub", [g.op("Log", [y]), g.op("Mul", [inverse, constant(g, 0.5)])]);
  return g.op("Sub", [g.op("Sub", [log, series]), below]);
}

/** Abramowitz and Stegun 9.8.1–9.8.4, exact to 2e-7: for |x| < 3.75 in (x/3.75)², beyond in 3.75/|x|. */
const BESSEL = {
  i0: {
    inner: [0.0045813, 0.0360768, 0.2659732, 1.2067492, 3.0899424, 3.5156229, 1],
    outer: [
      0.00392377, -0.01647633, 0.02635537, -0.02057706, 0.00916281, -0.00157565, 0.00225319, 0.01328592,
      0.39894228,
    ],
  },
  i1: {
    inner: [0.00032411, 0.00301532, 0.02658733, 0.15084934, 0.51498869, 0.87890594, 0.5],
    outer: [
      -0.00420059, 0.01787654, -0.02895312, 0.02282967, -0.01031555, 0.00163801, -0.00362018, -0.03988024,
      0.39894228,
    ],
  },
};

/** aten::i0(Tensor self) -> Tensor, special_i0e, special_i1, special_i1e: modified Bessel functions, the "e" forms times e^-|x| */
function bessel(order: "i0" | "i1", isScaled: boolean): (g: Emitter, x: Val) => Val {
  return (g, x) => {
    const size = g.op("Abs", [x]);
    const ratio = g.op("Div", [size, constant(g, 3.75)]);
    const near = polynomial(g, g.op("Mul", [ratio, ratio]), BESSEL[order].inner);
    const inner = order === "i0" ? near : g.op("Mul", [near, size]);
    const far = polynomial(g, g.op("Div", [constant(g, 1), ratio]), BESSEL[order].outer);
    const outer = g.op("Div", [far, g.op("Sqrt", [size])]);
    const isNear = g.op("Less", [size, constant(g, 3.75)]);
    const growth = (sign: 1 | -1): Val => g.op("Exp", [sign === 1 ? size : g.op("Neg", [size])]);
    const even = isScaled
      ? g.where(isNear, g.op("Mul", [inner, growth(-1)]), outer)
      : g.where(isNear, inner, g.op("Mul", [outer, growth(1)]));
    return order === "i0" ? even : g.where(g.op("Less", [x, constant(g, 0)]), g.op("Neg", [even]), even);
  };
}

/**
 * aten::special_ndtri(Tensor self) -> Tensor
 *
 * Where the normal distribution's area up to x is p: a first guess for the smaller tail, and two of Newton's steps on its logarithm.
 */
function ndtri(g: Emitter, p: Val): Val {
  const half = constant(g, 0.5);
  const isUpper = g.op("Greater", [p, half]);
  const tail = g.where(isUpper, g.op("Sub", [constant(g, 1), p]), p);
  const log = g.op("Log", [tail]);
  let x = firstTail(g, log);
  for (let step = 0; step < 3; step += 1) {
    const area = logNdtr(g, x);
    const square = g.op("Mul", [g.op("Mul", [x, x]), half]);
    const slope = g.op("Exp", [
      g.op("Sub", [constant(g, -0.5 * Math.log(2 * Math.PI)), g.op("Add", [square, area])]),
    ]);
    x = g.op("Sub", [x, g.op("Div", [g.op("Sub", [area, log]), slope])]);
  }
  const known = g.where(g.op("Equal", [tail, constant(g, 0)]), constant(g, Number.NEGATIVE_INFINITY), x);
  const exact = g.where(g.op("Equal", [tail, half]), constant(g, 0), known);
  return g.where(isUpper, g.op("Neg", [exact]), exact);
}

/** Near the place up to which the area is e^log: Abramowitz and Stegun 26.2.22. */
function firstTail(g: Emitter, log: Val): Val {
  const t = g.op("Sqrt", [g.op("Mul", [log, constant(g, -2)])]);
  const above = polynomial(g, t, [0.27061, 2.30753]);
  const below = polynomial(g, t, [0.04481, 0.99229, 1]);
  return g.op("Sub", [g.op("Div", [above, below]), t]);
}

const digammaLowering = approximated("digamma", digamma, 1e-13);

export const SPECIAL_FUNCTIONS: LoweringTable = {
  ...BESSEL_FUNCTIONS,
  ...ORTHOGONAL_POLYNOMIALS,
  ...zetaFunctions(digammaLowering),
  "aten.special_ndtri.default": approximated("ndtri", ndtri),
  "aten.erfc.default": approximated("erfc", erfc),
  "aten.special_erfcx.default": approximated("erfcx", erfcx),
  "aten.special_ndtr.default": approximated("ndtr", ndtr),
  "aten.special_log_ndtr.default": approximated("log_ndtr", logNdtr),
  "aten.erfinv.default": erfinv,
  "aten.lgamma.default": approximated("lgamma", lgamma, 1e-13),
  "aten.mvlgamma.default": mvlgamma,
  "aten.digamma.default": digammaLowering,
  "aten.i0.default": approximated("i0", bessel("i0", false)),
  "aten.special_i0e.default": approximated("i0e", bessel("i0", true)),
  "aten.special_i1.default": approximated("i1", bessel("i1", false)),
  "aten.special_i1e.default": approximated("i1e", bessel("i1", true)),
  "aten.special_modified_bessel_i0.default": approximated("modified_bessel_i0", bessel("i0", false)),
  "aten.special_modified_bessel_i1.default": approximated("modified_bessel_i1", bessel("i1", false)),
};

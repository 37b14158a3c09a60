import type { Emitter } from "../core/emitter.ts";
import type { Lowering, LoweringTable } from "../core/lowering.ts";
import type { Val } from "../core/tensor.ts";
import { FITS } from "./bessel-fits.ts";
import { polynomial } from "./float-math.ts";

type Formula = (g: Emitter, x: Val) => Val;

const constant = (g: Emitter, value: number): Val => g.scalar("float64", value);

/** Fits in float64 of functions that PyTorch itself approximates; a program in float64 is told. */
function fitted(name: string, formula: Formula): Lowering {
  return (node, g) => {
    if (node.out().declared === "float64")
      g.warn(`${name} is exact to 1e-6 although the program asks for float64`);
    return formula(g, g.cast(node.tensor(node.has("self") ? "self" : "x"), "float64"));
  };
}

/** `2 · (limit / x)^power - 1`, which goes from 1 to -1 beyond the limit. */
function inverse(
  g: Emitter,
  x: Val,
  { limit, power }: { readonly limit: number; readonly power: number },
): Val {
  const ratio = g.op("Div", [constant(g, limit), x]);
  const raised = power === 1 ? ratio : g.op("Pow", [ratio, constant(g, power)]);
  return g.op("Sub", [g.op("Mul", [raised, constant(g, 2)]), constant(g, 1)]);
}

/** `2 · (x / limit)² - 1`, which goes from -1 to 1 up to the limit. */
function squared(g: Emitter, x: Val, limit: number): Val {
  const ratio = g.op("Div", [x, constant(g, limit)]);
  return g.op("Sub", [g.op("Mul", [g.op("Mul", [ratio, ratio]), constant(g, 2)]), constant(g, 1)]);
}

const OSCILLATING_LIMIT = 8;

/** The Bessel function of the first or second kind beyond the limit: a modulus and a phase. */
function farAway(
  g: Emitter,
  x: Val,
  { order, isSecond }: { readonly order: 0 | 1; readonly isSecond: boolean },
): Val {
  const t = inverse(g, x, { limit: OSCILLATING_LIMIT, power: 2 });
  const phase = g.op("Sub", [x, constant(g, Math.PI * (order === 0 ? 0.25 : 0.75))]);
  const [cosine, sine] = [g.op("Cos", [phase]), g.op("Sin", [phase])];
  const p = polynomial(g, t, FITS[`p${order}`]);
  const q = g.op("Div", [
    g.op("Mul", [polynomial(g, t, FITS[`q${order}`]), constant(g, OSCILLATING_LIMIT)]),
    x,
  ]);
  const sum = isSecond
    ? g.op("Add", [g.op("Mul", [p, sine]), g.op("Mul", [q, cosine])])
    : g.op("Sub", [g.op("Mul", [p, cosine]), g.op("Mul", [q, sine])]);
  return g.op("Mul", [g.op("Sqrt", [g.op("Div", [constant(g, 2 / Math.PI), x])]), sum]);
}

/** An odd function has the argument as a factor. */
function odd(g: Emitter, x: Val, { order, value }: { readonly order: 0 | 1; readonly value: Val }): Val {
  return order === 0 ? value : g.op("Mul", [value, x]);
}

/**
 * aten::special_bessel_j0(Tensor self) -> Tensor
 * aten::special_bessel_j1(Tensor self) -> Tensor
 */
const firstKind =
  (order: 0 | 1): Formula =>
  (g, x) => {
    const size = g.op("Abs", [x]);
    const near = nearFirst(g, x, order);
    const far = farAway(g, size, { order, isSecond: false });
    const signed = order === 0 ? far : g.op("Mul", [far, g.op("Sign", [x])]);
    return g.where(g.op("Less", [size, constant(g, OSCILLATING_LIMIT)]), near, signed);
  };

function nearFirst(g: Emitter, x: Val, order: 0 | 1): Val {
  return odd(g, x, { order, value: polynomial(g, squared(g, x, OSCILLATING_LIMIT), FITS[`j${order}`]) });
}

/**
 * aten::special_bessel_y0(Tensor self) -> Tensor
 * aten::special_bessel_y1(Tensor self) -> Tensor
 */
const secondKind =
  (order: 0 | 1): Formula =>
  (g, x) => {
    const smooth = odd(g, x, {
      order,
      value: polynomial(g, squared(g, x, OSCILLATING_LIMIT), FITS[`y${order}`]),
    });
    const log = g.op("Mul", [
      g.op("Mul", [g.op("Log", [x]), nearFirst(g, x, order)]),
      constant(g, 2 / Math.PI),
    ]);
    const pole = g.op("Div", [constant(g, 2 / Math.PI), x]);
    const near = g.op("Add", [smooth, order === 0 ? log : g.op("Sub", [log, pole])]);
    const far = farAway(g, x, { order, isSecond: true });
    const value = g.where(g.op("Less", [x, constant(g, OSCILLATING_LIMIT)]), near, far);
    return g.where(g.op("Equal", [x, constant(g, 0)]), constant(g, Number.NEGATIVE_INFINITY), value);
  };

const DECAYING_LIMIT = 2;

/**
 * aten::special_modified_bessel_k0(Tensor self) -> Tensor
 * aten::special_modified_bessel_k1(Tensor self) -> Tensor
 * aten::special_scaled_modified_bessel_k0(Tensor x) -> Tensor
 * aten::special_scaled_modified_bessel_k1(Tensor x) -> Tensor
 *
 * The scaled ones are e^x times as large.
 */
const decaying =
  (order: 0 | 1, isScaled: boolean): Formula =>
  (g, x) => {
    const t = squared(g, x, DECAYING_LIMIT);
    const growing = odd(g, x, { order, value: polynomial(g, t, FITS[`i${order}`]) });
    const log = g.op("Mul", [g.op("Log", [x]), growing]);
    const rest = polynomial(g, t, FITS[`k${order}`]);
    const near = order === 0 ? g.op("Sub", [rest, log]) : g.op("Add", [g.op("Div", [rest, x]), log]);
    const tail = polynomial(g, inverse(g, x, { limit: DECAYING_LIMIT, power: 1 }), FITS[`far${order}`]);
    const far = g.op("Div", [tail, g.op("Sqrt", [x])]);
    const growth = g.op("Exp", [isScaled ? x : g.op("Neg", [x])]);
    const value = g.where(
      g.op("Less", [x, constant(g, DECAYING_LIMIT)]),
      isScaled ? g.op("Mul", [near, growth]) : near,
      isScaled ? far : g.op("Mul", [far, growth]),
    );
    return g.where(g.op("Equal", [x, constant(g, 0)]), constant(g, Number.POSITIVE_INFINITY), value);
  };

const AIRY_LIMIT = 4;

/** aten::special_airy_ai(Tensor x) -> Tensor */
function airy(g: Emitter, x: Val): Val {
  const limit = constant(g, AIRY_LIMIT);
  const near = polynomial(g, g.op("Div", [x, limit]), FITS.airyNear);
  const size = g.op("Max", [g.op("Abs", [x]), limit]);
  const t = inverse(g, size, { limit: AIRY_LIMIT, power: 1.5 });
  const zeta = g.op("Mul", [g.op("Pow", [size, constant(g, 1.5)]), constant(g, 2 / 3)]);
  const root = g.op("Pow", [size, constant(g, 0.25)]);
  const right = g.op("Mul", [polynomial(g, t, FITS.airyRight), g.op("Exp", [g.op("Neg", [zeta])])]);
  const phase = g.op("Sub", [zeta, constant(g, Math.PI / 4)]);
  const left = g.op("Add", [
    g.op("Mul", [polynomial(g, t, FITS.airyCosine), g.op("Cos", [phase])]),
    g.op("Mul", [polynomial(g, t, FITS.airySine), g.op("Sin", [phase])]),
  ]);
  const far = g.op("Div", [g.where(g.op("Less", [x, constant(g, 0)]), left, right), root]);
  const value = g.where(g.op("Less", [g.op("Abs", [x]), limit]), near, far);
  return g.where(g.op("IsInf", [x]), constant(g, Number.NaN), value);
}

/** aten::special_spherical_bessel_j0(Tensor x) -> Tensor: sin(x) / x */
function sphericalFirst(g: Emitter, x: Val): Val {
  const value = g.op("Div", [g.op("Sin", [x]), x]);
  const atInfinity = g.where(g.op("IsInf", [x]), constant(g, 0), value);
  return g.where(g.op("Equal", [x, constant(g, 0)]), constant(g, 1), atInfinity);
}

export const BESSEL_FUNCTIONS: LoweringTable = {
  "aten.special_bessel_j0.default": fitted("bessel_j0", firstKind(0)),
  "aten.special_bessel_j1.default": fitted("bessel_j1", firstKind(1)),
  "aten.special_bessel_y0.default": fitted("bessel_y0", secondKind(0)),
  "aten.special_bessel_y1.default": fitted("bessel_y1", secondKind(1)),
  "aten.special_modified_bessel_k0.default": fitted("modified_bessel_k0", decaying(0, false)),
  "aten.special_modified_bessel_k1.default": fitted("modified_bessel_k1", decaying(1, false)),
  "aten.special_scaled_modified_bessel_k0.default": fitted("scaled_modified_bessel_k0", decaying(0, true)),
  "aten.special_scaled_modified_bessel_k1.default": fitted("scaled_modified_bessel_k1", decaying(1, true)),
  "aten.special_airy_ai.default": fitted("airy_ai", airy),
  "aten.special_spherical_bessel_j0.default": fitted("spherical_bessel_j0", sphericalFirst),
};

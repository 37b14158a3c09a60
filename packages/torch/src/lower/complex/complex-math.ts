import { isComplex } from "../../dtype.ts";
import type { Emitter } from "../core/emitter.ts";
import type { Lowering } from "../core/lowering.ts";
import type { OpNode } from "../core/op-node.ts";
import type { ComplexVal, Val } from "../core/tensor.ts";
import { unsupported } from "../core/unsupported.ts";
import { to } from "../pointwise/conversion.ts";
import { angleOf, magnitude } from "../pointwise/trigonometry.ts";
import {
  type ComplexLowering,
  type ComplexTable,
  componentsOf,
  joined,
  separated,
} from "./complex-lowering.ts";

/** aten::view_as_real(Tensor(a) self) -> Tensor(a) */
export const viewAsReal: Lowering = (node, g) => {
  const self = node.complex("self");
  return joined(g, self, self.re.dims.length);
};

/** aten::view_as_complex(Tensor(a) self) -> Tensor(a) */
export const viewAsComplex: ComplexLowering = (node, g) =>
  separated(g, node.tensor("self"), node.out().dims.length);

/** aten::complex(Tensor real, Tensor imag) -> Tensor */
export const complex: ComplexLowering = (node, g) => {
  const { dims } = node.out();
  return { re: g.expand(node.tensor("real"), dims), im: g.expand(node.tensor("imag"), dims) };
};

/** aten::polar(Tensor abs, Tensor angle) -> Tensor */
export const polar: ComplexLowering = (node, g) => {
  const [length, angle] = [node.tensor("abs"), node.tensor("angle")];
  return {
    re: g.op("Mul", [length, g.op("Cos", [angle])]),
    im: g.op("Mul", [length, g.op("Sin", [angle])]),
  };
};

/** aten::conj(Tensor(a) self) -> Tensor(a) */
export const conj: ComplexLowering = (node, g) => {
  const { re, im } = node.complex("self");
  return { re, im: g.op("Neg", [im]) };
};

/** aten::abs(Tensor self) -> Tensor */
export const abs: Lowering = (node, g) => {
  const { re, im } = node.complex("self");
  return magnitude(g, re, im);
};

/** aten::angle(Tensor self) -> Tensor */
export const angle: Lowering = (node, g) => {
  const { re, im } = node.complex("self");
  return angleOf(g, re, im);
};

/** Both operands as parts in float64: products of float32 numbers neither overflow nor lose digits there. */
function wide(node: OpNode, g: Emitter, name: string): { re: Val; im: Val | undefined } {
  return componentsOf(node, name, { g, dtype: "float64" });
}

/** a / b, back in the result's dtype. */
function quotient(
  node: OpNode,
  g: Emitter,
  { a, b }: { a: ReturnType<typeof wide>; b: ReturnType<typeof wide> },
): ComplexVal {
  const { dtype } = node.out();
  const narrow = (val: Val): Val => g.cast(val, dtype);
  const over = (top: Val, bottom: Val): Val => narrow(g.op("Div", [top, bottom]));
  const zero = g.scalar("float64", 0);
  const im = a.im ?? zero;
  if (b.im === undefined) return { re: over(a.re, b.re), im: over(im, b.re) };
  const square = g.op("Add", [g.op("Mul", [b.re, b.re]), g.op("Mul", [b.im, b.im])]);
  const re = g.op("Add", [g.op("Mul", [a.re, b.re]), g.op("Mul", [im, b.im])]);
  const cross = g.op("Sub", [g.op("Mul", [im, b.re]), g.op("Mul", [a.re, b.im])]);
  return { re: over(re, square), im: over(cross, square) };
}

/** aten::div.Tensor(Tensor self, Tensor other) -> Tensor */
export const div: ComplexLowering = (node, g) =>
  quotient(node, g, { a: wide(node, g, "self"), b: wide(node, g, "other") });

/** aten::reciprocal(Tensor self) -> Tensor */
export const reciprocal: ComplexLowering = (node, g) =>
  quotient(node, g, { a: { re: g.scalar("float64", 1), im: undefined }, b: wide(node, g, "self") });

/** aten::sgn(Tensor self) -> Tensor: z / |z|, and 0 for 0 */
export const sgn: ComplexLowering = (node, g) => {
  const { re, im } = node.complex("self");
  const length = magnitude(g, re, im);
  const zero = g.scalar(length.dtype, 0);
  const isZero = g.op("Equal", [length, zero]);
  const over = (part: Val): Val => g.where(isZero, zero, g.op("Div", [part, length]));
  return { re: over(re), im: over(im) };
};

/** aten::square(Tensor self) -> Tensor, and aten::pow.Tensor_Scalar(Tensor self, Scalar exponent) -> Tensor with exponent 2 */
export const square: ComplexLowering = (node, g) => {
  if (node.has("exponent") && (node.isComplex("exponent") || node.float("exponent") !== 2))
    return unsupported("a power of a complex number other than its square; multiply instead");
  const { re, im } = node.complex("self");
  const product = g.op("Mul", [re, im]);
  return {
    re: g.op("Sub", [g.op("Mul", [re, re]), g.op("Mul", [im, im])]),
    im: g.op("Add", [product, product]),
  };
};

/** aten::exp(Tensor self) -> Tensor: e^a (cos b + i sin b) */
export const exp: ComplexLowering = (node, g) => {
  const { re, im } = node.complex("self");
  const length = g.op("Exp", [re]);
  return { re: g.op("Mul", [length, g.op("Cos", [im])]), im: g.op("Mul", [length, g.op("Sin", [im])]) };
};

/** aten::log(Tensor self) -> Tensor: the logarithm of the length, and the angle */
export const log: ComplexLowering = (node, g) => {
  const { re, im } = node.complex("self");
  return { re: g.op("Log", [magnitude(g, re, im)]), im: angleOf(g, re, im) };
};

/**
 * aten::eq.Tensor(Tensor self, Tensor other) -> Tensor
 * aten::eq.Scalar(Tensor self, Scalar other) -> Tensor
 * aten::ne.Scalar(Tensor self, Scalar other) -> Tensor
 * aten::ne.Tensor(Tensor self, Tensor other) -> Tensor
 *
 * Both parts are equal.
 */
function equality(isNegated: boolean): Lowering {
  return (node, g) => {
    const [a, b] = ["self", "other"].map((name) => componentsOf(node, name, { g, dtype: "float64" }));
    const zero = g.scalar("float64", 0);
    const equal = g.op("And", [g.op("Equal", [a!.re, b!.re]), g.op("Equal", [a!.im ?? zero, b!.im ?? zero])]);
    return isNegated ? g.op("Not", [equal]) : equal;
  };
}

/** aten::real(Tensor(a) self) -> Tensor(a) */
const real: Lowering = (node) => node.complex("self").re;

/** aten::imag(Tensor(a) self) -> Tensor(a) */
const imag: Lowering = (node) => node.complex("self").im;

/** aten::isreal(Tensor self) -> Tensor */
export const isReal: Lowering = (node, g) => {
  const { im } = node.complex("self");
  return g.op("Equal", [im, g.scalar(im.dtype, 0)]);
};

/**
 * aten::to.dtype(Tensor(a) self, ScalarType dtype, ...) -> Tensor(a)
 * aten::chalf(Tensor self, *, MemoryFormat? memory_format=None) -> Tensor
 *
 * To or from a complex dtype. To a real one keeps the real part.
 */
export const convert: ComplexLowering = (node, g) => {
  const { declared } = node.out();
  if (declared === "bool") return unsupported("a complex tensor as truth values; compare its abs with 0");
  const re = to(node.component({ self: "re" }, g), g) as Val;
  if (!isComplex(declared)) return re;
  return { re, im: to(node.component({ self: "im" }, g), g) as Val };
};

const BOTH = ["Tensor", "Scalar"];

function all<T>(op: string, lowering: T, overloads: readonly string[] = ["default"]): Record<string, T> {
  return Object.fromEntries(overloads.map((overload) => [`aten.${op}.${overload}`, lowering]));
}

/** Ops that mean something else for complex numbers than for their parts. */
export const COMPLEX_MATH: ComplexTable = {
  ...all("view_as_real", viewAsReal),
  ...all("view_as_complex", viewAsComplex),
  ...all("complex", complex),
  ...all("polar", polar),
  ...all("real", real),
  ...all("imag", imag),
  ...all("_conj", conj),
  ...all("_conj_physical", conj),
  ...all("conj", conj),
  ...all("conj_physical", conj),
  ...all("abs", abs),
  ...all("angle", angle),
  ...all("div", div, BOTH),
  ...all("reciprocal", reciprocal),
  ...all("sgn", sgn),
  ...all("square", square),
  ...all("pow", square, ["Tensor_Scalar"]),
  ...all("exp", exp),
  ...all("log", log),
  ...all("eq", equality(false), BOTH),
  ...all("ne", equality(true), BOTH),
  ...all("isreal", isReal),
  ...all("_to_copy", convert),
  ...all("to", convert, ["dtype", "device", "dtype_layout", "other"]),
  ...all("type_as", convert),
  ...all("chalf", convert),
};

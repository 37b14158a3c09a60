import type { Lowering, LoweringTable } from "../core/lowering.ts";

/**
 * aten::acos(Tensor self) -> Tensor
 * aten::acosh(Tensor self) -> Tensor
 * aten::asin(Tensor self) -> Tensor
 * aten::asinh(Tensor self) -> Tensor
 * aten::atan(Tensor self) -> Tensor
 * aten::atanh(Tensor self) -> Tensor
 * aten::cos(Tensor self) -> Tensor
 * aten::cosh(Tensor self) -> Tensor
 * aten::erf(Tensor self) -> Tensor
 * aten::neg(Tensor self) -> Tensor
 * aten::sigmoid(Tensor self) -> Tensor
 * aten::sin(Tensor self) -> Tensor
 * aten::sinh(Tensor self) -> Tensor
 * aten::sqrt(Tensor self) -> Tensor
 * aten::tan(Tensor self) -> Tensor
 * aten::tanh(Tensor self) -> Tensor
 * aten::exp(Tensor self) -> Tensor
 *
 * Ops that ONNX has as well, calculated in the result's type.
 */
function unary(type: string): Lowering {
  return (node, g) => g.op(type, [g.cast(node.tensor("self"), node.out().dtype)]);
}

/** aten::rsqrt(Tensor self) -> Tensor */
export const rsqrt: Lowering = (node, g) =>
  g.op("Reciprocal", [g.op("Sqrt", [g.cast(node.tensor("self"), node.out().dtype)])]);

/** aten::square(Tensor self) -> Tensor */
export const square: Lowering = (node, g) => {
  const self = g.cast(node.tensor("self"), node.out().dtype);
  return g.op("Mul", [self, self]);
};

/** aten::log2(Tensor self) -> Tensor, aten::log10(Tensor self) -> Tensor */
function logarithm(base: number): Lowering {
  return (node, g) => {
    const { dtype } = node.out();
    return g.op("Mul", [
      g.op("Log", [g.cast(node.tensor("self"), dtype)]),
      g.scalar(dtype, 1 / Math.log(base)),
    ]);
  };
}

const OPERATORS: Readonly<Record<string, string>> = {
  acos: "Acos",
  acosh: "Acosh",
  asin: "Asin",
  asinh: "Asinh",
  atan: "Atan",
  atanh: "Atanh",
  cos: "Cos",
  cosh: "Cosh",
  erf: "Erf",
  exp: "Exp",
  log: "Log",
  neg: "Neg",
  reciprocal: "Reciprocal",
  sigmoid: "Sigmoid",
  sin: "Sin",
  sinh: "Sinh",
  sqrt: "Sqrt",
  tan: "Tan",
  tanh: "Tanh",
  abs: "Abs",
};

export const UNARY: LoweringTable = {
  ...Object.fromEntries(Object.entries(OPERATORS).map(([op, type]) => [`aten.${op}.default`, unary(type)])),
  "aten.rsqrt.default": rsqrt,
  "aten.square.default": square,
  "aten.log2.default": logarithm(2),
  "aten.log10.default": logarithm(10),
};

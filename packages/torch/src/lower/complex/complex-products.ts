import type { Choices, Component } from "../core/component-node.ts";
import type { Emitter } from "../core/emitter.ts";
import type { Lowering } from "../core/lowering.ts";
import type { OpNode } from "../core/op-node.ts";
import type { ComplexVal, Val } from "../core/tensor.ts";
import { unsupported } from "../core/unsupported.ts";
import { einsum } from "../linalg/einsum.ts";
import { added } from "../linalg/matmul.ts";
import { linear } from "../nn/linear.ts";
import type { ComplexLowering, ComplexTable } from "./complex-lowering.ts";

/** A product of one part of each factor, both real. */
type ComponentProduct = (first: Component, second: Component) => Val;

/** (a + bi)(c + di) = (ac - bd) + (ad + bc)i */
function multiplied(g: Emitter, times: ComponentProduct): ComplexVal {
  return {
    re: g.op("Sub", [times("re", "re"), times("im", "im")]),
    im: g.op("Add", [times("re", "im"), times("im", "re")]),
  };
}

function single(lowering: Lowering, node: OpNode, g: Emitter): Val {
  const result = lowering(node, g);
  return "name" in result ? result : unsupported("it has several results");
}

/** Ops that are a product of two arguments, linear in both: `mul`, `matmul`. A real factor costs no product with 0. */
export function bilinear(lowering: Lowering, [first, second]: readonly [string, string]): ComplexLowering {
  return (node, g) => {
    const times: ComponentProduct = (a, b) =>
      single(lowering, node.component({ [first]: a, [second]: b }, g), g);
    if (!node.isComplex(second)) return { re: times("re", "re"), im: times("im", "re") };
    if (!node.isComplex(first)) return { re: times("re", "re"), im: times("re", "im") };
    return multiplied(g, times);
  };
}

/** aten::linear(Tensor input, Tensor weight, Tensor? bias=None) -> Tensor. The bias joins one of the two products of a part. */
const complexLinear: ComplexLowering = (node, g) => {
  const times: ComponentProduct = (input, weight) => {
    const bias = input === "re" ? weight : "none";
    return single(linear, node.component({ input, weight, bias }, g), g);
  };
  return multiplied(g, times);
};

/** aten::einsum(str equation, Tensor[] tensors, *, int[]? path=None) -> Tensor of one tensor or two */
const complexEinsum: ComplexLowering = (node, g) => {
  const of = (tensors: readonly Component[]): Val => single(einsum, node.component({ tensors }, g), g);
  const count = node.items("tensors").length;
  if (count === 1) return { re: of(["re"]), im: of(["im"]) };
  if (count > 2)
    return unsupported("complex numbers in an equation of more than two tensors; contract them in pairs");
  return multiplied(g, (a, b) => of([a, b]));
};

/** aten::addmm(Tensor self, Tensor mat1, Tensor mat2, *, Scalar beta=1, Scalar alpha=1) -> Tensor, and baddbmm */
function plus(first: string, second: string): ComplexLowering {
  return (node, g) => {
    const times: ComponentProduct = (a, b) => {
      const part = node.component({ [first]: a, [second]: b } satisfies Choices, g);
      return g.op("MatMul", [part.tensor(first), part.tensor(second)]);
    };
    const { re, im } = multiplied(g, times);
    return {
      re: added(node.component({ self: "re" }, g), g, re),
      im: added(node.component({ self: "im" }, g), g, im),
    };
  };
}

export const COMPLEX_PRODUCTS: ComplexTable = {
  "aten.linear.default": complexLinear,
  "aten.einsum.default": complexEinsum,
  "aten.addmm.default": plus("mat1", "mat2"),
  "aten.baddbmm.default": plus("batch1", "batch2"),
};

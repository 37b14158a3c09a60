import { type Dim, sameDims } from "../../graph/sym.ts";
import type { Emitter } from "../core/emitter.ts";
import { asFitting } from "../core/fitting.ts";
import type { Lowering, LoweringTable } from "../core/lowering.ts";
import type { OpNode } from "../core/op-node.ts";
import type { Operand, Val } from "../core/tensor.ts";

/** A tensor of one value. */
function filled(
  g: Emitter,
  value: Operand,
  { dtype, dims }: { dtype: Val["dtype"]; dims: readonly Dim[] },
): Val {
  return g.expand(asFitting(g, value, dtype), dims);
}

/**
 * aten::zeros(SymInt[] size, *, ...) -> Tensor
 * aten::empty.memory_format(SymInt[] size, *, ...) -> Tensor
 * aten::empty_like(Tensor self, *, ...) -> Tensor
 * aten::empty_permuted(SymInt[] size, int[] physical_layout, *, ...) -> Tensor
 * aten::new_empty(Tensor self, SymInt[] size, *, ...) -> Tensor
 * aten::new_ones(Tensor self, SymInt[] size, *, ...) -> Tensor
 * aten::new_zeros(Tensor self, SymInt[] size, *, ...) -> Tensor
 * aten::ones(SymInt[] size, *, ...) -> Tensor
 * aten::ones_like(Tensor self, *, ...) -> Tensor
 * aten::zeros_like(Tensor self, *, ...) -> Tensor
 *
 * Nobody may use the values of `empty`.
 */
function constant(value: number): Lowering {
  return (node, g) => filled(g, { kind: "int", value }, node.out());
}

/**
 * aten::full(SymInt[] size, Scalar fill_value, *, ...) -> Tensor
 * aten::full_like(Tensor self, Scalar fill_value, *, ...) -> Tensor
 * aten::new_full(Tensor self, SymInt[] size, Scalar fill_value, *, ...) -> Tensor
 */
export const full: Lowering = (node, g) => filled(g, node.operand("fill_value"), node.out());

/** aten::scalar_tensor(Scalar s, *, ...) -> Tensor */
export const scalarTensor: Lowering = (node, g) => g.as(node.scalar("s"), node.out().dtype);

const FORMS = ["zeros", "ones", "empty"] as const;

const VALUE = { zeros: 0, ones: 1, empty: 0 } as const;

/**
 * A value over the sizes of what is written into. A slice such as `y[-2:]` has the rows that there are, which may be fewer than the program
 * states.
 */
function over(node: OpNode, g: Emitter, value: Val): Val {
  if (!node.isPut) return g.expand(value, node.out().dims);
  return g.op("Expand", [value, g.op("Shape", [node.tensor("self")])]);
}

/**
 * aten::copy(Tensor self, Tensor src, bool non_blocking=False) -> Tensor
 *
 * A source of the same sizes stays as it is: the last two of at least two rows, as the program states them, are one where there is only one.
 */
export const copy: Lowering = (node, g) => {
  const src = node.tensor("src");
  const { dims } = node.out();
  return sameDims(src.dims, dims) ? src : over(node, g, src);
};

/**
 * aten::fill.Scalar(Tensor self, Scalar value) -> Tensor
 * aten::fill.Tensor(Tensor self, Tensor value) -> Tensor
 */
export const fill: Lowering = (node, g) =>
  over(node, g, asFitting(g, node.operand("value"), node.out().dtype));

/** aten::zero(Tensor self) -> Tensor */
export const zero: Lowering = (node, g) => over(node, g, g.scalar(node.out().dtype, 0));

export const FILL: LoweringTable = {
  ...Object.fromEntries(
    FORMS.flatMap((form) => {
      const lowering = constant(VALUE[form]);
      const plain = form === "empty" ? "aten.empty.memory_format" : `aten.${form}.default`;
      return [plain, `aten.${form}_like.default`, `aten.new_${form}.default`].map((target) => [
        target,
        lowering,
      ]);
    }),
  ),
  "aten.empty_permuted.default": constant(0),
  "aten.full.default": full,
  "aten.full_like.default": full,
  "aten.new_full.default": full,
  "aten.scalar_tensor.default": scalarTensor,
  "aten.copy.default": copy,
  "aten.fill.Scalar": fill,
  "aten.fill.Tensor": fill,
  "aten.zero.default": zero,
};

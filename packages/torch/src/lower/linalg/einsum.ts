import type { Lowering, LoweringTable } from "../core/lowering.ts";
import { unlessNothing } from "../core/nothing.ts";
import type { Val } from "../core/tensor.ts";
import { unsupported } from "../core/unsupported.ts";

/** aten::einsum(str equation, Tensor[] tensors, *, int[]? path=None) -> Tensor. The order of contraction is ONNX Runtime's. */
export const einsum: Lowering = (node, g) => {
  const { dtype } = node.out();
  const tensors = node.tensors("tensors");
  const equation = node.string("equation").replaceAll(" ", "");
  if (!/^[A-Za-z.,]*(->[A-Za-z.]*)?$/.test(equation)) unsupported("its equation is not one of letters");
  const operands = tensors.map((tensor) => g.cast(tensor, dtype));
  const ranks = tensors.map(({ dims }) => dims.length);
  const attributes = { equation: spelledOut(equation, ranks) };
  return unlessNothing(g, {
    sizes: tensors.flatMap(({ dims }) => dims),
    empty: [{ dtype, dims: node.out().dims }],
    emit: (inner) => [inner.op("Einsum", operands, attributes)],
  })[0]!;
};

const LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

/**
 * The equation with an output, and with letters in place of every "...", which ONNX Runtime only takes when it stands for the same
 * number of dimensions everywhere.
 */
function spelledOut(equation: string, ranks: readonly number[]): string {
  const [left, right] = equation.split("->") as [string, string | undefined];
  const terms = left.split(",");
  const free = [...LETTERS].filter((letter) => !equation.includes(letter));
  const widths = terms.map((term, i) => (term.includes("...") ? ranks[i]! - (term.length - 3) : 0));
  const widest = Math.max(0, ...widths);
  if (free.length < widest) unsupported("its equation uses too many letters");
  const dots = free.slice(0, widest).join("");
  const spelled = terms.map((term, i) => term.replace("...", dots.slice(widest - widths[i]!)));
  return `${spelled.join(",")}->${(right ?? implied(left)).replace("...", dots)}`;
}

/** Without an output PyTorch keeps the ellipsis, then the letters that occur once, capitals first. */
function implied(terms: string): string {
  const letters = [...terms.replaceAll(".", "").replaceAll(",", "")];
  const once = letters.filter((letter) => letters.indexOf(letter) === letters.lastIndexOf(letter));
  return (terms.includes("...") ? "..." : "") + once.sort().join("");
}

/**
 * aten::_trilinear(Tensor i1, Tensor i2, Tensor i3, int[] expand1, int[] expand2, int[] expand3, int[] sumdim, int unroll_dim=1) ->
 * Tensor: the product of the three, with axes of size 1 added, summed over `sumdim`
 */
export const trilinear: Lowering = (node, g) => {
  const factors = [1, 2, 3].map((i): Val => g.unsqueeze(node.tensor(`i${i}`), node.ints(`expand${i}`)));
  const product = factors.reduce((a, b) => g.op("Mul", [a, b]));
  const sumdim = node.ints("sumdim");
  return sumdim.length === 0 ? product : g.op("ReduceSum", [product, g.ints(sumdim)], { keepdims: 0 });
};

export const EINSUM: LoweringTable = {
  "aten.einsum.default": einsum,
  "aten._trilinear.default": trilinear,
};

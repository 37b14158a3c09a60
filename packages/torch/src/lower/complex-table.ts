import { invariant } from "../errors.ts";
import { type ComplexLowering, type ComplexTable, componentwise } from "./complex/complex-lowering.ts";
import { COMPLEX_MATH } from "./complex/complex-math.ts";
import { bilinear, COMPLEX_PRODUCTS } from "./complex/complex-products.ts";
import type { Lowering } from "./core/lowering.ts";
import { COMPLEX_FOURIER } from "./spectral/fft.ts";
import { COMPLEX_SHORT_TIME_FOURIER } from "./spectral/stft.ts";
import { LOWERINGS } from "./table.ts";

/** Ops that treat real and imaginary part alike, by the arguments that hold numbers; what else they take are sizes, indices, masks. */
const COMPONENTWISE: readonly { readonly args: readonly string[]; readonly targets: readonly string[] }[] = [
  {
    args: ["self"],
    targets: [
      "aten.view.default",
      "aten.reshape.default",
      "aten.flatten.using_ints",
      "aten.unflatten.int",
      "aten._unsafe_view.default",
      "aten.squeeze.default",
      "aten.squeeze.dim",
      "aten.squeeze.dims",
      "aten.unsqueeze.default",
      "aten.view_as.default",
      "aten.reshape_as.default",
      "aten.permute.default",
      "aten.transpose.int",
      "aten.swapaxes.default",
      "aten.t.default",
      "aten.mT.default",
      "aten.numpy_T.default",
      "aten.movedim.int",
      "aten.movedim.intlist",
      "aten.expand.default",
      "aten.expand_as.default",
      "aten.broadcast_to.default",
      "aten.repeat.default",
      "aten.tile.default",
      "aten.select.int",
      "aten.slice.Tensor",
      "aten.narrow.default",
      "aten.split.Tensor",
      "aten.split_with_sizes.default",
      "aten.chunk.default",
      "aten.unbind.int",
      "aten.index_select.default",
      "aten.index.Tensor",
      "aten.gather.default",
      "aten.flip.default",
      "aten.roll.default",
      "aten.fft_fftshift.default",
      "aten.fft_ifftshift.default",
      "aten.unfold.default",
      "aten.diagonal.default",
      "aten.tril.default",
      "aten.triu.default",
      "aten.sum.default",
      "aten.sum.dim_IntList",
      "aten.mean.default",
      "aten.mean.dim",
      "aten.cumsum.default",
      "aten.neg.default",
      "aten.positive.default",
      "aten.resolve_conj.default",
      "aten.resolve_neg.default",
      "aten.clone.default",
      "aten.contiguous.default",
      "aten.alias.default",
      "aten.alias_copy.default",
      "aten.detach.default",
      "aten.lift_fresh_copy.default",
      "aten.zeros_like.default",
      "aten.new_zeros.default",
      "aten.zeros.default",
      "aten.zero.default",
    ],
  },
  {
    args: ["self", "value"],
    targets: [
      "aten.pad.default",
      "aten.constant_pad_nd.default",
      "aten.masked_fill.Scalar",
      "aten.fill.Scalar",
      "aten.fill.Tensor",
    ],
  },
  { args: ["fill_value"], targets: ["aten.full.default", "aten.full_like.default", "aten.new_full.default"] },
  { args: ["s"], targets: ["aten.scalar_tensor.default"] },
  { args: ["tensors"], targets: ["aten.cat.default", "aten.stack.default"] },
  {
    args: ["self", "other"],
    targets: [
      "aten.add.Tensor",
      "aten.add.Scalar",
      "aten.sub.Tensor",
      "aten.sub.Scalar",
      "aten.rsub.Scalar",
      "aten.where.self",
      "aten.where.ScalarOther",
    ],
  },
  {
    args: ["self", "src"],
    targets: ["aten.copy.default", "aten.select_scatter.default", "aten.slice_scatter.default"],
  },
  { args: ["self", "values"], targets: ["aten.index_put.default"] },
];

/** Products, by their two factors. */
const BILINEAR: readonly (readonly [target: string, first: string, second: string])[] = [
  ["aten.mul.Tensor", "self", "other"],
  ["aten.mul.Scalar", "self", "other"],
  ["aten.matmul.default", "self", "other"],
  ["aten.mm.default", "self", "mat2"],
  ["aten.bmm.default", "self", "mat2"],
  ["aten.mv.default", "self", "vec"],
  ["aten.dot.default", "self", "tensor"],
];

function real(target: string): Lowering {
  const lowering = LOWERINGS[target];
  invariant(lowering !== undefined, `${target} has no translation for real numbers`);
  return lowering;
}

function fromReal(): Record<string, ComplexLowering> {
  const table: Record<string, ComplexLowering> = {};
  for (const { args, targets } of COMPONENTWISE) {
    for (const target of targets) table[target] = componentwise(real(target), args);
  }
  for (const [target, first, second] of BILINEAR) table[target] = bilinear(real(target), [first, second]);
  return table;
}

/** What every op that takes or gives a complex value is looked up in. An op that is not here is refused when it meets one. */
export const COMPLEX_LOWERINGS: ComplexTable = {
  ...fromReal(),
  ...COMPLEX_MATH,
  ...COMPLEX_PRODUCTS,
  ...COMPLEX_FOURIER,
  ...COMPLEX_SHORT_TIME_FOURIER,
};

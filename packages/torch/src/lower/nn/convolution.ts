import type { Dim } from "../../graph/sym.ts";
import type { Attributes } from "../../onnx/model.ts";
import type { Emitter } from "../core/emitter.ts";
import { withoutCodes } from "../core/find-codes.ts";
import type { Lowering, LoweringTable } from "../core/lowering.ts";
import { mayBeZero, unlessNothing } from "../core/nothing.ts";
import type { OpNode } from "../core/op-node.ts";
import { padded } from "../core/padded.ts";
import { isFloat, normalizeAxis, type Tensor, type Val } from "../core/tensor.ts";
import { unsupported } from "../core/unsupported.ts";
import { betweenCodes, type ConvOperands } from "./coded-convolution.ts";
import { integerConvolution } from "./integer-convolution.ts";

/** A list of `rank` numbers; PyTorch lets one number stand for all dimensions. */
export function spread<T>(values: readonly T[], rank: number): T[] {
  return values.length === 1 ? Array.from({ length: rank }, () => values[0]!) : [...values];
}

/** Runs an op that needs a batch dimension on an input that may lack it. */
export function batched(g: Emitter, input: Tensor, spatial: number, run: (input: Val) => Val): Val {
  if (input.dims.length === spatial + 2) return run(input);
  return g.squeeze(run(g.unsqueeze(input, [0])), [0]);
}

function kernelSize(weight: Tensor): number[] {
  return weight.dims
    .slice(2)
    .map((dim: Dim) => (typeof dim === "number" ? dim : unsupported("the kernel's size is not constant")));
}

/** Attributes that Conv and ConvTranspose share. */
function attributes(node: OpNode, kernel: readonly number[]): Attributes {
  const rank = kernel.length;
  return {
    kernel_shape: kernel,
    strides: spread(node.ints("stride"), rank),
    dilations: spread(node.ints("dilation"), rank),
    group: node.int("groups"),
  };
}

function symmetric(padding: readonly number[], rank: number): number[] {
  const pads = spread(padding, rank);
  return [...pads, ...pads];
}

/** Padding that keeps the size: the odd element goes to the end. */
function samePads(kernel: readonly number[], dilation: readonly number[]): number[] {
  const totals = kernel.map((k, i) => dilation[i]! * (k - 1));
  return [...totals.map((total) => Math.floor(total / 2)), ...totals.map((total) => Math.ceil(total / 2))];
}

function operands(node: OpNode, g: Emitter): ConvOperands {
  const { dtype } = node.out();
  const cast = (tensor: Tensor): Tensor => ({ ...tensor, ...g.cast(tensor, dtype) });
  const bias = node.optionalTensor("bias");
  return {
    input: cast(node.tensor("input")),
    weight: cast(node.tensor("weight")),
    bias: bias === undefined ? undefined : cast(bias),
  };
}

/**
 * aten::conv2d(Tensor input, Tensor weight, Tensor? bias=None, SymInt[2] stride=1, SymInt[2] padding=0, SymInt[2] dilation=1, SymInt groups=1) -> Tensor
 * aten::conv1d(Tensor input, Tensor weight, Tensor? bias=None, SymInt[1] stride=[1], SymInt[1] padding=[0], SymInt[1] dilation=[1], SymInt groups=1) -> Tensor
 * aten::conv3d(Tensor input, Tensor weight, Tensor? bias=None, SymInt[3] stride=[1, 1, 1], SymInt[3] padding=[0, 0, 0], SymInt[3] dilation=[1, 1, 1], SymInt groups=1) -> Tensor
 */
export const conv: Lowering = (node, g) => {
  const spatial = node.tensor("weight").dims.length - 2;
  return convolved(node, g, symmetric(node.ints("padding"), spatial));
};

function convolved(node: OpNode, g: Emitter, pads: readonly number[]): Val {
  const { input, weight, bias } = betweenCodes(node, g, operands(node, g));
  if (!isFloat(input.dtype)) return ofIntegers(node, g, { pads, isTransposed: false });
  const kernel = kernelSize(weight);
  return batched(g, input, kernel.length, (x) =>
    g.op("Conv", [x, weight, bias], { ...attributes(node, kernel), pads }),
  );
}

function ofIntegers(
  node: OpNode,
  g: Emitter,
  given: { readonly pads: readonly number[]; readonly isTransposed: boolean },
): Val {
  const tensors = operands(node, g);
  const kernel = kernelSize(tensors.weight);
  return integerConvolution(g, {
    ...tensors,
    ...given,
    out: node.out().dims,
    kernel,
    strides: spread(node.ints("stride"), kernel.length),
    dilations: spread(node.ints("dilation"), kernel.length),
    groups: node.int("groups"),
  });
}

/**
 * aten::conv2d.padding(Tensor input, Tensor weight, Tensor? bias=None, SymInt[2] stride=1, str padding="valid", SymInt[2] dilation=1, SymInt groups=1) -> Tensor
 * aten::conv1d.padding(Tensor input, Tensor weight, Tensor? bias=None, SymInt[1] stride=[1], str padding="valid", SymInt[1] dilation=[1], SymInt groups=1) -> Tensor
 * aten::conv3d.padding(Tensor input, Tensor weight, Tensor? bias=None, SymInt[3] stride=[1, 1, 1], str padding="valid", SymInt[3] dilation=[1, 1, 1], SymInt groups=1) -> Tensor
 */
export const convNamedPadding: Lowering = (node, g) => {
  const kernel = kernelSize(node.tensor("weight"));
  const dilation = spread(node.ints("dilation"), kernel.length);
  const pads = node.string("padding") === "same" ? samePads(kernel, dilation) : symmetric([0], kernel.length);
  return convolved(node, g, pads);
};

/**
 * aten::conv_transpose2d.input(Tensor input, Tensor weight, Tensor? bias=None, SymInt[2] stride=1, SymInt[2] padding=0, SymInt[2] output_padding=0, SymInt groups=1, SymInt[2] dilation=1) -> Tensor
 * aten::conv_transpose1d(Tensor input, Tensor weight, Tensor? bias=None, SymInt[1] stride=[1], SymInt[1] padding=[0], SymInt[1] output_padding=[0], SymInt groups=1, SymInt[1] dilation=[1]) -> Tensor
 * aten::conv_transpose3d.input(Tensor input, Tensor weight, Tensor? bias=None, SymInt[3] stride=[1, 1, 1], SymInt[3] padding=[0, 0, 0], SymInt[3] output_padding=[0, 0, 0], SymInt groups=1, SymInt[3] dilation=[1, 1, 1]) -> Tensor
 */
export const convTranspose: Lowering = (node, g) => {
  const { input, weight, bias } = uncoded(g, operands(node, g));
  const kernel = kernelSize(weight);
  const pads = symmetric(node.ints("padding"), kernel.length);
  if (!isFloat(input.dtype)) return ofIntegers(node, g, { pads, isTransposed: true });
  const output_padding = spread(node.ints("output_padding"), kernel.length);
  const strides = spread(node.ints("stride"), kernel.length);
  if (output_padding.some((extra, i) => extra >= strides[i]!))
    return padLater(node, g, { output_padding, pads });
  const emit = (at: Emitter): Val =>
    batched(at, input, kernel.length, (x) =>
      at.op("ConvTranspose", [x, weight, bias], { ...attributes(node, kernel), pads, output_padding }),
    );
  // Of images without pixels ONNX Runtime makes none, not even none of them.
  const mayLack = input.dims.slice(-kernel.length).some((dim) => mayBeZero(g, dim));
  const [images, channels] = input.dims.length > kernel.length + 1 ? input.dims : [1];
  if (!mayLack || typeof channels !== "number") return emit(g);
  return unlessNothing(g, { sizes: [images!], empty: [node.out()], emit: (at) => [emit(at)] })[0]!;
};

function uncoded(g: Emitter, operands: ConvOperands): ConvOperands {
  return { ...operands, input: withoutCodes(g, operands.input) };
}

interface Padding {
  readonly output_padding: readonly number[];
  readonly pads: readonly number[];
}

/** PyTorch allows an output_padding up to the dilation, ONNX Runtime up to the stride: here the whole result is cut and padded. */
function padLater(node: OpNode, g: Emitter, { output_padding, pads }: Padding): Val {
  const { input, weight, bias } = uncoded(g, operands(node, g));
  const kernel = kernelSize(weight);
  const spatial = kernel.length;
  const amounts = [
    ...pads.slice(0, spatial).map((pad) => -pad),
    ...output_padding.map((extra, i) => extra - pads[spatial + i]!),
  ];
  return batched(g, input, spatial, (x) => {
    const whole = g.op("ConvTranspose", [x, weight], attributes(node, kernel));
    const placed = padded(g, whole, {
      rank: spatial + 2,
      pads: kernel.map((_, i) => ({ axis: i + 2, before: amounts[i]!, after: amounts[spatial + i]! })),
    });
    if (bias === undefined) return placed;
    return g.op("Add", [
      placed,
      g.unsqueeze(
        bias,
        kernel.map((_, i) => i + 1),
      ),
    ]);
  });
}

/** aten::convolution(Tensor input, Tensor weight, Tensor? bias, SymInt[] stride, SymInt[] padding, SymInt[] dilation, bool transposed, SymInt[] output_padding, SymInt groups) -> Tensor */
export const convolution: Lowering = (node, g) =>
  node.bool("transposed") ? convTranspose(node, g) : conv(node, g);

/** aten::_weight_norm(Tensor v, Tensor g, int dim=0) -> Tensor */
export const weightNorm: Lowering = (node, g) => {
  const v = node.tensor("v");
  const dim = normalizeAxis(node.int("dim"), v.dims.length);
  const axes = v.dims.map((_, axis) => axis).filter((axis) => axis !== dim);
  const norm = g.op("ReduceL2", [v, g.ints(axes)], { keepdims: 1 });
  return g.op("Mul", [v, g.op("Div", [node.tensor("g"), norm])]);
};

export const CONVOLUTION: LoweringTable = {
  "aten.conv1d.default": conv,
  "aten.conv2d.default": conv,
  "aten.conv3d.default": conv,
  "aten.conv1d.padding": convNamedPadding,
  "aten.conv2d.padding": convNamedPadding,
  "aten.conv3d.padding": convNamedPadding,
  "aten.conv_transpose1d.default": convTranspose,
  "aten.conv_transpose2d.input": convTranspose,
  "aten.conv_transpose3d.input": convTranspose,
  "aten.convolution.default": convolution,
  "aten._weight_norm.default": weightNorm,
};

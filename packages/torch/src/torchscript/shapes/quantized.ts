import { numeric, quotient } from "./dims.ts";
import { same } from "./elementwise.ts";
import { type ShapeFn, type ShapeTable, tensorType } from "./shape-args.ts";

/** Floats through codes and back, and which of them had one. */
const withMask: ShapeFn = (args) => [args.tensor("self"), tensorType("bool", args.tensor("self").dims)];

/** The sizes of the input, in the dtype that an argument says. */
const typed =
  (name: string): ShapeFn =>
  (args) =>
    tensorType(args.dtype(name) ?? "float32", args.tensor("input").dims);

/** `typed` for groups along the last dimension, of which a short one is less than a group. */
const grouped =
  (name: string): ShapeFn =>
  (args) => {
    numeric(args.tensor("input").dims.at(-1)!);
    return typed(name)(args);
  };

const oneScale: ShapeFn = () => [tensorType("float64", [1]), tensorType("int64", [1])];

/** A scale for each token: the last dimension shrinks to 1. */
const tokenScales =
  (isPlain: boolean): ShapeFn =>
  (args) => {
    const dims = [...args.tensor("input").dims.slice(0, -1), 1];
    return [
      tensorType(isPlain ? "float32" : "float64", dims),
      tensorType(isPlain ? "float32" : "int64", dims),
    ];
  };

/** A scale for each block. */
const blockScales: ShapeFn = (args) => {
  const { dtype, dims: given } = args.tensor("input");
  const blocks = args.ints("block_size");
  // Whether a block is the whole dimension decides about the shape.
  const dims = given.map((size, i) => (blocks[i] === 1 ? size : numeric(size)));
  const counts = dims.map((size, i) => (blocks[i] === 1 ? size : quotient(size, blocks[i]!)));
  const isWhole = (i: number): boolean => blocks[i] !== 1 && blocks[i] === dims[i];
  const kept = args.bool("keepdim") ? counts : counts.filter((_, i) => !isWhole(i));
  return [
    tensorType(args.dtype("scale_dtype") ?? dtype, kept),
    tensorType(args.dtype("zero_point_dtype") ?? "int32", kept),
  ];
};

const product: ShapeFn = (args) =>
  tensorType("int32", [args.tensor("self").dims[0]!, args.tensor("mat2").dims[1]!]);

const int8Product: ShapeFn = (args) => {
  const { dtype, dims } = args.tensor("self");
  return tensorType(dtype, [dims[0]!, args.tensor("mat2").dims[0]!]);
};

export const QUANTIZED: ShapeTable = {
  fake_quantize_per_tensor_affine: same,
  fused_moving_avg_obs_fake_quant: same,
  _fused_moving_avg_obs_fq_helper: withMask,
  fake_quantize_per_channel_affine: same,
  _fake_quantize_learnable_per_tensor_affine: same,
  _fake_quantize_learnable_per_channel_affine: same,
  fake_quantize_per_tensor_affine_cachemask: withMask,
  fake_quantize_per_channel_affine_cachemask: withMask,
  _fake_quantize_per_tensor_affine_cachemask_tensor_qparams: withMask,
  _int_mm: product,
  _weight_int8pack_mm: int8Product,
  "quantized_decomposed::quantize_per_tensor": typed("dtype"),
  "quantized_decomposed::quantize_per_channel": typed("dtype"),
  "quantized_decomposed::quantize_per_token": typed("dtype"),
  "quantized_decomposed::quantize_per_channel_group": grouped("dtype"),
  "quantized_decomposed::dequantize_per_tensor": typed("out_dtype"),
  "quantized_decomposed::dequantize_per_channel": typed("out_dtype"),
  "quantized_decomposed::dequantize_per_token": typed("output_dtype"),
  "quantized_decomposed::dequantize_per_channel_group": grouped("output_dtype"),
  "quantized_decomposed::choose_qparams": oneScale,
  "quantized_decomposed::choose_qparams_symmetric": oneScale,
  "quantized_decomposed::choose_qparams_per_token": tokenScales(true),
  "quantized_decomposed::choose_qparams_per_token_asymmetric": tokenScales(false),
  "quantized_decomposed::_choose_qparams_per_token_asymmetric_impl": tokenScales(false),
  "quantized_decomposed::fake_quant_per_channel": same,
  "quantized_decomposed::convert_element_type": typed("dtype"),
  "torchao::choose_qparams_affine": blockScales,
  "torchao::quantize_affine": typed("output_dtype"),
  "torchao::dequantize_affine": typed("output_dtype"),
};

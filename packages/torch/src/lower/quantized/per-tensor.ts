import type { DType } from "../../dtype.ts";
import type { Emitter } from "../core/emitter.ts";
import type { Lowering, LoweringTable } from "../core/lowering.ts";
import type { OpNode } from "../core/op-node.ts";
import type { Val } from "../core/tensor.ts";
import {
  boundsOf,
  clamped,
  inverseOf,
  isNarrow,
  knownNumbers,
  narrowZero,
  oneNumber,
  rangeOf,
  toCodes,
} from "./codes.ts";
import { unsigned, withoutNan } from "./unsigned.ts";

/**
 * quantized_decomposed::quantize_per_tensor(Tensor input, float scale, int zero_point, int quant_min, int quant_max, ScalarType dtype) -> Tensor
 * quantized_decomposed::quantize_per_tensor.tensor(Tensor input, Tensor scale, Tensor zero_point, int quant_min, int quant_max, ScalarType dtype) -> Tensor
 * quantized_decomposed::quantize_per_tensor.tensor2(Tensor input, Tensor scale, Tensor zero_point, Tensor quant_min, Tensor quant_max, ScalarType dtype) -> Tensor
 *
 * QuantizeLinear where the dtype holds the zero: ONNX Runtime fuses it. It divides by the scale where PyTorch multiplies by its inverse, which
 * moves numbers within a rounding error of the middle between two codes to the other of them.
 */
export const quantizePerTensor: Lowering = (node, g) => {
  const input = g.cast(node.tensor("input"), "float32");
  const { dtype } = node.out();
  const coding = linearCoding(node, g, dtype);
  if (coding === undefined) {
    const inverse = inverseOf(g, oneNumber(node, g, { name: "scale", dtype: "float64" }));
    const zero = oneNumber(node, g, { name: "zero_point", dtype: "float32" });
    const rounded = g.op("Round", [g.op("Mul", [input, g.cast(inverse, "float32")])]);
    return toCodes(g, clamped(g, g.op("Add", [rounded, zero]), rangeOf(node, g, "float32")), dtype);
  }
  const { scale, zero } = coding;
  const numbers = withoutNan(g, input, () => g.op("Mul", [g.cast(zero, "float32"), g.op("Neg", [scale])]));
  const shifted = unsigned(g, { zero, known: knownNumbers(node, "zero_point")?.[0] });
  const codes = g.op("QuantizeLinear", [numbers, scale, shifted.zero]);
  return shifted.back(withinRange(node, g, { codes, dtype, offset: shifted.offset }));
};

interface Made {
  readonly codes: Val;
  /** As the program declares them, `offset` less than they are made. */
  readonly dtype: DType;
  readonly offset: number;
}

/** Codes held to the op's range, where that is narrower than the dtype's. */
function withinRange(node: OpNode, g: Emitter, { codes, dtype, offset }: Made): Val {
  const [low, high] = [knownNumbers(node, "quant_min")?.[0], knownNumbers(node, "quant_max")?.[0]];
  const [least, most] = boundsOf(dtype)!;
  if (low !== undefined && high !== undefined && low <= least && high >= most) return codes;
  const { low: below, high: above } = rangeOf(node, g, "int32");
  const moved = (bound: Val): Val => (offset === 0 ? bound : g.op("Add", [bound, g.scalar("int32", offset)]));
  return g.cast(clamped(g, g.cast(codes, "int32"), { low: moved(below), high: moved(above) }), codes.dtype);
}

interface LinearCoding {
  readonly scale: Val;
  readonly zero: Val;
}

/** Scale and zero as QuantizeLinear takes them; undefined where it would not give what PyTorch gives. */
function linearCoding(node: OpNode, g: Emitter, dtype: DType): LinearCoding | undefined {
  if (!isNarrow(dtype)) return undefined;
  const zero = narrowZero(node, g, { name: "zero_point", dtype }) ?? g.scalar(dtype, 0);
  if (zero === "elsewhere") return undefined;
  const known = knownNumbers(node, "scale")?.[0];
  if (known !== undefined && !isUsual(known)) return undefined;
  return { scale: scaleOf(node, g), zero: g.reshape(zero, []) };
}

/** Neither it nor its inverse leaves the normal numbers of float32. */
function isUsual(scale: number): boolean {
  return scale > 2 ** -120 && scale < 2 ** 120;
}

/** The scale as a 0-d float32. */
function scaleOf(node: OpNode, g: Emitter): Val {
  if (knownNumbers(node, "scale") !== undefined)
    return oneNumber(node, g, { name: "scale", dtype: "float32" });
  const tensor = node.tensor("scale");
  const before = g.uncast(tensor);
  const scale = before.dtype === "float32" ? before : g.cast(tensor, "float32");
  return g.reshape(scale, []);
}

/**
 * quantized_decomposed::dequantize_per_tensor(Tensor input, float scale, int zero_point, int quant_min, int quant_max, ScalarType dtype, *, ScalarType? out_dtype=None) -> Tensor
 * quantized_decomposed::dequantize_per_tensor.tensor(Tensor input, Tensor scale, Tensor zero_point, int quant_min, int quant_max, ScalarType dtype, *, ScalarType? out_dtype=None) -> Tensor
 * quantized_decomposed::dequantize_per_tensor.tensor2(Tensor input, Tensor scale, Tensor zero_point, Tensor quant_min, Tensor quant_max, ScalarType dtype, *, ScalarType? out_dtype=None) -> Tensor
 *
 * (code − zero) · scale in float32, which DequantizeLinear is. Codes of the file itself become floats once, when the model is loaded: ONNX
 * Runtime leaves DequantizeLinear for the run.
 */
export const dequantizePerTensor: Lowering = (node, g) => {
  const codes = node.tensor("input");
  const zero = narrowZero(node, g, { name: "zero_point", dtype: codes.dtype });
  if (zero === "elsewhere") return calculated(node, g, zero);
  const known = knownNumbers(node, "zero_point")?.[0];
  const made = unsigned(g, { zero: zero ?? g.scalar(codes.dtype, 0), known }, codes);
  if (made.codes === undefined) return calculated(node, g, zero);
  const coding = {
    codes: g.typed(made.codes, codes.dims),
    scale: scaleOf(node, g),
    scales: knownNumbers(node, "scale"),
    zero: g.reshape(made.zero, []),
  };
  const result = g.op("DequantizeLinear", [coding.codes, coding.scale, coding.zero], {}, "float32");
  g.coded.set(result.name, coding);
  return result;
};

function calculated(node: OpNode, g: Emitter, narrow: Val | undefined | "elsewhere"): Val {
  const codes = node.tensor("input");
  const zero = oneNumber(node, g, { name: "zero_point", dtype: "float32" });
  const moved = g.op("Sub", [g.cast(codes, "float32"), zero]);
  const result = g.op("Mul", [moved, oneNumber(node, g, { name: "scale", dtype: "float32" })]);
  const stored = node.weight("input");
  if (narrow !== "elsewhere" && (codes.dtype === "int8" || codes.dtype === "uint8")) {
    g.coded.set(result.name, {
      codes,
      scale: scaleOf(node, g),
      scales: knownNumbers(node, "scale"),
      zero: narrow && g.reshape(narrow, []),
      ...(stored !== undefined && { stored: { ...stored, isTransposed: false } }),
    });
  }
  return result;
}

export const PER_TENSOR: LoweringTable = {
  "quantized_decomposed.quantize_per_tensor.default": quantizePerTensor,
  "quantized_decomposed.quantize_per_tensor.tensor": quantizePerTensor,
  "quantized_decomposed.quantize_per_tensor.tensor2": quantizePerTensor,
  "quantized_decomposed.dequantize_per_tensor.default": dequantizePerTensor,
  "quantized_decomposed.dequantize_per_tensor.tensor": dequantizePerTensor,
  "quantized_decomposed.dequantize_per_tensor.tensor2": dequantizePerTensor,
};

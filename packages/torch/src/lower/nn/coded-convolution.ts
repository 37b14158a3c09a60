import type { Coded } from "../core/coded.ts";
import type { Emitter } from "../core/emitter.ts";
import { asFloats, codesOf } from "../core/find-codes.ts";
import type { OpNode } from "../core/op-node.ts";
import { storedNumbers } from "../core/stored-numbers.ts";
import type { Tensor } from "../core/tensor.ts";

export interface ConvOperands {
  readonly input: Tensor;
  readonly weight: Tensor;
  readonly bias: Tensor | undefined;
}

/** Ops that ONNX Runtime folds into the codes that follow a convolution. */
const CLAMPS: ReadonlySet<string> = new Set([
  "aten.relu.default",
  "aten.relu6.default",
  "aten.hardtanh.default",
  "aten.clamp.default",
]);

/**
 * The operands of a convolution between codes, so that ONNX Runtime calculates it in integers with the program's own weights. It quantizes float
 * weights between codes by itself, with one scale for all: where the program's codes do not fit, the input is no longer seen to be made of codes.
 * Others stay as they are.
 */
export function betweenCodes(node: OpNode, g: Emitter, operands: ConvOperands): ConvOperands {
  const { input, weight, bias } = operands;
  const given = codesOf(g, input);
  if (given === undefined || !node.feeds(isQuantizing, CLAMPS)) return operands;
  const kept = codesOf(g, weight);
  const channels = weight.dims[0];
  if (kept === undefined || typeof channels !== "number" || !isPlain(kept) || !isSmall(node, given, kept))
    return { ...operands, input: { ...input, ...asFloats(g, given) } };
  const count = kept.axis === undefined ? [] : [channels];
  const zeros = g.constant(
    kept.codes.dtype,
    count.length === 0 ? [0] : new Array<number>(channels).fill(0),
    count,
  );
  const floats = g.op("DequantizeLinear", [kept.codes, kept.scale, zeros], { axis: 0 }, "float32");
  return { input, weight: { ...weight, ...floats }, bias };
}

function isQuantizing(target: string): boolean {
  return target.startsWith("quantized_decomposed.quantize_per_tensor.");
}

/** Codes of int8 with the zero 0, and a scale for all or for each channel. */
function isPlain({ codes, zero, axis, groupSize }: Coded): boolean {
  return codes.dtype === "int8" && zero === undefined && groupSize === undefined && (axis ?? 0) === 0;
}

/** Whether the bias counted in products of codes, as ONNX Runtime stores it, stays far below what int32 holds. */
function isSmall(node: OpNode, given: Coded, kept: Coded): boolean {
  if (!node.has("bias")) return true;
  const stored = node.weight("bias");
  const bias = stored === undefined ? undefined : storedNumbers(stored);
  const [ofInput, ofWeight] = [given.scales, kept.scales];
  if (bias === undefined || ofInput === undefined || ofWeight === undefined) return false;
  return bias.every(
    (value, i) => Math.abs(value / (ofInput[0]! * ofWeight[ofWeight.length === 1 ? 0 : i]!)) < 2 ** 30,
  );
}

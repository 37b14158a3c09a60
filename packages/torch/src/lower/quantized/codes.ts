import type { DType } from "../../dtype.ts";
import type { Emitter } from "../core/emitter.ts";
import type { OpNode } from "../core/op-node.ts";
import { storedNumbers } from "../core/stored-numbers.ts";
import type { Val } from "../core/tensor.ts";

/** The numbers that codes of a dtype can be. */
const BOUNDS: Partial<Record<DType, readonly [number, number]>> = {
  int8: [-128, 127],
  uint8: [0, 255],
  int16: [-32768, 32767],
  uint16: [0, 65535],
  int32: [-(2 ** 31), 2 ** 31 - 1],
};

export function boundsOf(dtype: DType): readonly [number, number] | undefined {
  return BOUNDS[dtype];
}

/** Whether codes of a dtype can be all the whole numbers from `low` to `high`. */
export function holds(dtype: DType, [low, high]: readonly [number, number]): boolean {
  const bounds = BOUNDS[dtype];
  return bounds !== undefined && bounds[0] <= low && high <= bounds[1];
}

/** Codes that QuantizeLinear and DequantizeLinear take with any zero of their dtype. */
export function isNarrow(dtype: DType): boolean {
  return dtype === "int8" || dtype === "uint8" || dtype === "int16" || dtype === "uint16";
}

/** The numbers of an argument that the program knows: a literal or a small weight. Undefined for calculated ones. */
export function knownNumbers(node: OpNode, name: string): readonly number[] | undefined {
  const weight = node.weight(name);
  if (weight !== undefined) return storedNumbers(weight);
  const arg = node.arg(name);
  if (arg.kind === "int" || arg.kind === "float") return [Number(arg.value)];
  return undefined;
}

/** An argument that is a number, or a tensor of one number, as a 0-d value of a dtype. */
export function oneNumber(node: OpNode, g: Emitter, { name, dtype }: { name: string; dtype: DType }): Val {
  const known = knownNumbers(node, name);
  if (known?.length === 1) return g.scalar(dtype, known[0]!);
  const arg = node.operand(name);
  const value = g.as(arg, dtype);
  return "dims" in arg && arg.dims.length > 0 ? g.reshape(value, []) : value;
}

/** Whole numbers held to a range. What is not a number stays one. */
export interface Range {
  readonly low: Val;
  readonly high: Val;
}

/** `quant_min` and `quant_max` in the dtype that codes are calculated in. */
export function rangeOf(node: OpNode, g: Emitter, dtype: DType): Range {
  return {
    low: oneNumber(node, g, { name: "quant_min", dtype }),
    high: oneNumber(node, g, { name: "quant_max", dtype }),
  };
}

export function clamped(g: Emitter, x: Val, { low, high }: Range): Val {
  return g.op("Min", [g.op("Max", [x, low]), high]);
}

/** Whole floats as codes. As in PyTorch on x86, what is not a number and what int32 cannot hold has the low bits of its least number. */
export function toCodes(g: Emitter, whole: Val, dtype: DType): Val {
  return g.cast(g.cast(whole, "int32"), dtype);
}

/** 1 / scale. ONNX Runtime makes x · (1 / scale) one division, which rounds otherwise; it does not see it in −1 / −scale. */
export function inverseOf(g: Emitter, scale: Val): Val {
  return g.op("Div", [g.scalar(scale.dtype, -1), g.op("Neg", [scale])]);
}

/** A vector along one dimension of a tensor, shaped to be calculated with it. */
export function along(g: Emitter, vector: Val, { rank, axis }: { rank: number; axis: number }): Val {
  const dims = Array.from({ length: rank }, (_, i) => (i === axis ? -1 : 1));
  return g.op("Reshape", [vector, g.ints(dims)]);
}

/**
 * Zeros as values of the codes' dtype, for the operators that take them so: undefined when all are 0. `"elsewhere"`: they are none, or may
 * be none.
 */
export function narrowZero(
  node: OpNode,
  g: Emitter,
  { name, dtype }: { readonly name: string; readonly dtype: DType },
): Val | undefined | "elsewhere" {
  if (!isNarrow(dtype)) return "elsewhere";
  if (!node.has(name)) return undefined;
  const known = knownNumbers(node, name);
  if (known === undefined) {
    const before = g.uncast(node.tensor(name));
    return before.dtype === dtype ? before : "elsewhere";
  }
  if (known.every((zero) => zero === 0)) return undefined;
  const fits = known.every((zero) => Number.isInteger(zero) && holds(dtype, [zero, zero]));
  return fits ? g.constant(dtype, known, known.length === 1 ? [] : [known.length]) : "elsewhere";
}

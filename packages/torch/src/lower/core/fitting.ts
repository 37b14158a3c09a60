import type { DType } from "../../dtype.ts";
import type { Emitter } from "./emitter.ts";
import { isTensor, type Operand, type Val } from "./tensor.ts";
import { unsupported } from "./unsupported.ts";

/** The smallest and the largest number of what is shorter than 64 bits. */
const RANGES: Partial<Record<DType, readonly [least: number, most: number]>> = {
  uint8: [0, 255],
  int8: [-128, 127],
  int16: [-32768, 32767],
  int32: [-(2 ** 31), 2 ** 31 - 1],
};

/** A tensor or number as a value of `dtype`; a number of the program that the dtype does not hold is refused, as PyTorch raises for it. */
export function asFitting(g: Emitter, operand: Operand, dtype: DType): Val {
  const range = RANGES[dtype];
  if (range !== undefined && !isTensor(operand) && typeof operand.value === "number") {
    const [low, most] = range;
    // Whole numbers wrap into an unsigned type.
    const least = low === 0 && operand.kind !== "float" ? -most : low;
    if (!(operand.value >= least && operand.value <= most))
      return unsupported(`its number ${operand.value} does not fit into ${dtype}: PyTorch raises for it`);
  }
  return g.as(operand, dtype);
}

/** Refuses bytes of which differences are taken: below zero PyTorch's wrap, which nobody means who asks for a distance. */
export function rejectBytes(operands: readonly { readonly dtype: DType }[]): void {
  const isBytes = operands.every(({ dtype }) => dtype === "uint8" || dtype === "bool");
  if (isBytes && operands.some(({ dtype }) => dtype === "uint8"))
    unsupported("differences of uint8 wrap below zero in PyTorch; convert its arguments to floats first");
}

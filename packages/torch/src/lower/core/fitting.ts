import type { DType } from "../../dtype.ts";
import type { Emitter } from "./emitter.ts";
import { requirement } from "./requirement.ts";
import { isTensor, type Operand, type Tensor, type Val } from "./tensor.ts";
import { unsupported } from "./unsupported.ts";

/** The smallest and the largest number of a dtype; PyTorch takes 2^63 as the largest int64. */
const RANGES: Partial<Record<DType, readonly [least: number, most: number]>> = {
  uint8: [0, 255],
  int8: [-128, 127],
  int16: [-32768, 32767],
  int32: [-(2 ** 31), 2 ** 31 - 1],
  int64: [-(2 ** 63), 2 ** 63],
  float32: [-3.4028234663852886e38, 3.4028234663852886e38],
};

/** A tensor or number as a value of `dtype`; a number of the program that the dtype does not hold is refused, as PyTorch raises for it. */
export function asFitting(g: Emitter, operand: Operand, dtype: DType): Val {
  const range = RANGES[dtype];
  if (range !== undefined && !isTensor(operand) && typeof operand.value === "number") {
    const [low, most] = range;
    // Whole numbers wrap into an unsigned type.
    const least = low === 0 && operand.kind !== "float" ? -most : low;
    const isBeyond = dtype.includes("float") && !Number.isFinite(operand.value);
    if (!isBeyond && !(operand.value >= least && operand.value <= most))
      return unsupported(`its number ${operand.value} does not fit into ${dtype}: PyTorch raises for it`);
  }
  return g.as(operand, dtype);
}

/** The same of an op that reads its number from a tensor: it is looked at in each run, where its dtype may hold others. */
export function asFittingItem(g: Emitter, operand: Operand, dtype: DType): Val {
  const item = itemOf(g, operand);
  const range = RANGES[dtype];
  if (item === undefined || range === undefined || dtype.includes("float"))
    return asFitting(g, operand, dtype);
  const [low, most] = range;
  const isFloat = item.dtype.startsWith("float");
  const least = low === 0 && !isFloat ? -most : low;
  const given = RANGES[item.dtype];
  const holds = given !== undefined && given[0] >= least && given[1] <= most;
  if (!holds && item.dtype !== "bool" && (isFloat || dtype !== "int64")) {
    const within = g.op("And", [
      g.op("GreaterOrEqual", [item, g.scalar(item.dtype, least)]),
      g.op("LessOrEqual", [item, g.scalar(item.dtype, most)]),
    ]);
    g.guards.push(requirement(g, "numbers that fit", g.op("Not", [within])));
  }
  return g.as(operand, dtype);
}

/** The number that only the run knows; undefined for one of the program's own. */
function itemOf(g: Emitter, operand: Operand): Val | Tensor | undefined {
  if (isTensor(operand)) return operand;
  if (typeof operand.value === "number") return undefined;
  return g.number(operand.value, operand.kind === "float" ? "float32" : "int64");
}

/** Refuses bytes of which differences are taken: below zero PyTorch's wrap, which nobody means who asks for a distance. */
export function rejectBytes(operands: readonly { readonly dtype: DType }[]): void {
  const isBytes = operands.every(({ dtype }) => dtype === "uint8" || dtype === "bool");
  if (isBytes && operands.some(({ dtype }) => dtype === "uint8"))
    unsupported("differences of uint8 wrap below zero in PyTorch; convert its arguments to floats first");
}

import { elementCount } from "../archive/stored-tensor.ts";
import { BYTE_WIDTHS } from "../dtype.ts";
import type { Program } from "../graph/ir.ts";

/** How many numbers a program's weights are, and how many bytes they take. Tied weights count once. */
export function countWeights({ weights }: Program): { parameterCount: number; weightBytes: number } {
  const seen = new Map<unknown, Set<string>>();
  let [parameterCount, weightBytes] = [0, 0];
  for (const { tensor } of weights.values()) {
    const { dtype, shape, strides, storageOffset, storage } = tensor;
    const views = seen.get(storage) ?? new Set<string>();
    seen.set(storage, views);
    const view = `${storageOffset}:${shape}:${strides}`;
    if (views.has(view)) continue;
    views.add(view);
    parameterCount += elementCount(shape);
    weightBytes += elementCount(shape) * BYTE_WIDTHS[dtype];
  }
  return { parameterCount, weightBytes };
}

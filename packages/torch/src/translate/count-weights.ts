import { elementCount } from "../archive/stored-tensor.ts";
import { BYTE_WIDTHS } from "../dtype.ts";
import type { Program } from "../graph/ir.ts";

/** How many numbers a program's weights are, and how many bytes they take. Tied weights count once. */
export function countWeights({ weights }: Program): {
  parameterCount: number;
  weightBytes: number;
  bytesByDtype: Readonly<Record<string, number>>;
} {
  const seen = new Map<unknown, Set<string>>();
  const bytesByDtype: Record<string, number> = {};
  let [parameterCount, weightBytes] = [0, 0];
  for (const { tensor } of weights.values()) {
    const { dtype, shape, strides, storageOffset, storage } = tensor;
    const views = seen.get(storage) ?? new Set<string>();
    seen.set(storage, views);
    const view = `${storageOffset}:${shape}:${strides}`;
    if (views.has(view)) continue;
    views.add(view);
    parameterCount += elementCount(shape);
    const bytes = elementCount(shape) * BYTE_WIDTHS[dtype];
    weightBytes += bytes;
    bytesByDtype[dtype] = (bytesByDtype[dtype] ?? 0) + bytes;
  }
  return { parameterCount, weightBytes, bytesByDtype };
}

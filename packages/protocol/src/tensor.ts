import type { Datatype } from "./datatype.ts";

/**
 * A dense tensor: little-endian, row-major bytes, usually a view on a buffer someone else owns.
 * For BYTES every element is a uint32 little-endian length followed by that many bytes.
 */
export interface Tensor {
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

/** A tensor under its name in a request or an answer. */
export interface NamedTensor extends Tensor {
  readonly name: string;
}

/** Number of elements of a shape; 1 for a scalar (`[]`). Dimensions must be non-negative. */
export function elementCount(shape: readonly number[]): number {
  let count = 1;
  for (let i = 0; i < shape.length; i++) count *= shape[i]!;
  return count;
}

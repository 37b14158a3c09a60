import type { Tensor } from "onnxruntime-node";
import { bytesOf, type StoredTensor } from "./zoo-case.ts";

/** Relative tolerance, and absolute tolerance per unit of the output's largest value. */
const RTOL = 1e-4;
const ATOL = 1e-5;

/** How far an output is from PyTorch's: the largest error over the largest value, and a sentence when that is too far. */
export interface Comparison {
  readonly relativeError: number;
  readonly problem: string | undefined;
}

/** Floats within 1e-4 · |y| + 1e-5 · max(1, max |y|), NaN and infinities in the same places; integers and booleans exactly. */
export function compareOutput(got: Tensor, want: StoredTensor, blob: Uint8Array): Comparison {
  if (got.dims.join() !== want.shape.join()) {
    return { relativeError: Number.NaN, problem: `shape [${got.dims}] instead of [${want.shape}]` };
  }
  if (got.type !== want.dtype)
    return { relativeError: Number.NaN, problem: `${got.type} instead of ${want.dtype}` };
  const expected = bytesOf(want, blob);
  if (want.dtype !== "float32") {
    const data = got.data as Uint8Array;
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    const isEqual = Buffer.from(bytes).equals(expected);
    return { relativeError: 0, problem: isEqual ? undefined : "values differ" };
  }
  return compareFloats(got.data as Float32Array, new Float32Array(expected.buffer));
}

function compareFloats(got: Float32Array, want: Float32Array): Comparison {
  let largest = 1;
  for (const value of want) if (Number.isFinite(value)) largest = Math.max(largest, Math.abs(value));
  let worst = 0;
  let problem: string | undefined;
  for (let i = 0; i < want.length; i++) {
    const [a, b] = [got[i]!, want[i]!];
    if (Object.is(a, b) || a === b) continue;
    const error = Math.abs(a - b);
    if (Number.isFinite(error)) worst = Math.max(worst, error);
    if (!(error <= RTOL * Math.abs(b) + ATOL * largest)) problem ??= `[${i}] is ${a}, PyTorch gives ${b}`;
  }
  return { relativeError: worst / largest, problem };
}

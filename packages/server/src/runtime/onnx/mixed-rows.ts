import { NUMBER_ARRAYS, type NumberArray } from "../../base/number-arrays.ts";
import type { RunInput } from "../../base/run.ts";
import { bfloat16Value, type Datatype, float16Value } from "../../base/tensor.ts";
import type { HostedResult } from "../model-host.ts";

/** What a row may change by, as a share of the largest number: runs of other sizes round otherwise, and quantized ones share a scale. */
const TOLERANCE = 0.1;

interface Outputs {
  readonly result: Pick<HostedResult, "outputs">;
}

/**
 * The first output whose last row is another one when it was calculated alone: its rows depend on each other. Undefined: none that shows
 * it. Texts are not compared.
 */
export function findMixedRows(alone: Outputs, together: Outputs): number | undefined {
  const found = alone.result.outputs.findIndex((single, i) => {
    const many = together.result.outputs[i]!;
    const [a, b] = [numbersOf(single), numbersOf(many)];
    if (a === undefined || b === undefined || a.length === 0 || single.shape[0] !== 1) return false;
    const hasSameRows = b.length === a.length * many.shape[0]!;
    return hasSameRows && areDifferent(a, b.subarray(b.length - a.length));
  });
  return found < 0 ? undefined : found;
}

function areDifferent(a: Float64Array, b: Float64Array): boolean {
  let largest = 0;
  for (let i = 0; i < a.length; i++) largest = Math.max(largest, finite(a[i]!), finite(b[i]!));
  for (let i = 0; i < a.length; i++) {
    if (Math.abs(a[i]! - b[i]!) > TOLERANCE * largest) return true;
    if (Number.isNaN(a[i]) !== Number.isNaN(b[i])) return true;
  }
  return false;
}

function finite(value: number): number {
  return Number.isFinite(value) ? Math.abs(value) : 0;
}

/** What a datatype's bytes are as numbers. */
const READERS: Readonly<Record<Datatype, NumberArray | undefined>> = {
  ...NUMBER_ARRAYS,
  BOOL: NUMBER_ARRAYS.UINT8,
  FP16: (bytes) => Float64Array.from(new Uint16Array(bytes), float16Value),
  BF16: (bytes) => Float64Array.from(new Uint16Array(bytes), bfloat16Value),
  BYTES: undefined,
};

function numbersOf({ datatype, chunks }: RunInput): Float64Array | undefined {
  const { buffer } = Uint8Array.from(Buffer.concat(chunks));
  const values = READERS[datatype]?.(buffer);
  return values === undefined ? undefined : Float64Array.from(values, Number);
}

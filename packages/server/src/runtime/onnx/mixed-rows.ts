import { NUMBER_ARRAYS, type NumberArray } from "../../base/number-arrays.ts";
import type { RunInput } from "../../base/run.ts";
import { bfloat16Value, type Datatype, elementCount, float16Value } from "../../base/tensor.ts";
import type { HostedResult } from "../model-host.ts";

/** What a row may change by, as a share of the largest number: runs of other sizes round otherwise, and quantized ones share a scale. */
const TOLERANCE = 0.1;

interface Outputs {
  readonly result: Pick<HostedResult, "outputs">;
}

/**
 * `axes`: where the rows of each output lie, 0 where it is not said. The first output whose last row is another one when it was calculated alone: its rows depend on each other. Undefined: none that shows
 * it. Texts are not compared.
 */
export function findMixedRows(
  alone: Outputs,
  together: Outputs,
  axes: readonly number[] = [],
): number | undefined {
  const found = alone.result.outputs.findIndex((single, i) => {
    const many = together.result.outputs[i]!;
    const axis = axes[i] ?? 0;
    const [a, b] = [numbersOf(single), numbersOf(many)];
    if (a === undefined || b === undefined || a.length === 0 || single.shape[axis] !== 1) return false;
    const rows = many.shape[axis]!;
    return b.length === a.length * rows && areDifferent(a, lastRow(b, many.shape, axis));
  });
  return found < 0 ? undefined : found;
}

/** The elements of the last row of a tensor whose rows lie along `axis`. */
function lastRow(values: Float64Array, shape: readonly number[], axis: number): Float64Array {
  const outer = elementCount(shape.slice(0, axis));
  const inner = values.length / (outer * shape[axis]!);
  const row = new Float64Array(outer * inner);
  for (let o = 0; o < outer; o++) {
    const end = ((o + 1) * values.length) / outer;
    row.set(values.subarray(end - inner, end), o * inner);
  }
  return row;
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

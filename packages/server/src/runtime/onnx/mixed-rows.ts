import type { RunInput } from "../../base/run.ts";
import type { HostedResult } from "../model-host.ts";

/** What a row may change by, as a share of the largest number: runs of other sizes round otherwise, and quantized ones share a scale. */
const TOLERANCE = 0.1;

interface Outputs {
  readonly result: Pick<HostedResult, "outputs">;
}

/**
 * The first output whose last row is another one when it was calculated alone: its rows depend on each other. Undefined: none that shows
 * it. Texts, integers and half floats are not compared.
 */
export function findMixedRows(alone: Outputs, together: Outputs): number | undefined {
  const found = alone.result.outputs.findIndex((single, i) => {
    const many = together.result.outputs[i]!;
    const [a, b] = [floatsOf(single), floatsOf(many)];
    if (a === undefined || b === undefined || a.length === 0 || single.shape[0] !== 1) return false;
    const hasSameRows = b.length === a.length * many.shape[0]!;
    return hasSameRows && areDifferent(a, b.subarray(b.length - a.length));
  });
  return found < 0 ? undefined : found;
}

function areDifferent(a: Floats, b: Floats): boolean {
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

type Floats = Float32Array | Float64Array;

function floatsOf({ datatype, chunks }: RunInput): Floats | undefined {
  if (datatype !== "FP32" && datatype !== "FP64") return undefined;
  const { buffer } = Uint8Array.from(Buffer.concat(chunks));
  return datatype === "FP32" ? new Float32Array(buffer) : new Float64Array(buffer);
}

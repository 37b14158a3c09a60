import { type Dim, exampleSize, type Signature, type TensorSpec } from "../../base/signature.ts";
import { elementBytes, elementCount, type Tensor } from "../../base/tensor.ts";
import { ortTypeOf } from "./datatypes.ts";

/** What a busy server runs most, where batching allows it. */
const TYPICAL_ROWS = 8;

/** Inputs to run before anybody waits, made of ones (floats) and zeros (the rest, since integers are often indices). */
export interface WarmUpInputs {
  /** At a small size that the signature allows, so that the first request does not pay for lazy allocations. */
  readonly smallest: readonly Tensor[];
  /** At a typical batch size; undefined: there are no batches. */
  readonly typical: readonly Tensor[] | undefined;
}

export function warmUpInputs({ inputs, batching }: Signature): WarmUpInputs {
  const smallest = inputs.map((spec) => filled(spec, sizes(spec, undefined, 1)));
  if (batching.kind === "off") return { smallest, typical: undefined };
  const rows = Math.min(TYPICAL_ROWS, batching.maxRows ?? TYPICAL_ROWS);
  return { smallest, typical: inputs.map((spec) => filled(spec, sizes(spec, batching.symbol, rows))) };
}

function sizes(spec: TensorSpec, symbol: string | undefined, rows: number): number[] {
  return spec.dims.map((dim: Dim) => {
    if (typeof dim === "number") return dim;
    return dim.symbol === symbol ? Math.max(rows, dim.min) : exampleSize(dim);
  });
}

function filled(spec: TensorSpec, shape: number[]): Tensor {
  const { datatype } = spec;
  const count = elementCount(shape);
  if (datatype === "BYTES") return { datatype, shape, bytes: new Uint8Array(4 * count) };
  const bytes = new Uint8Array(count * elementBytes(datatype));
  if (ortTypeOf(datatype) === "float32") new Float32Array(bytes.buffer).fill(1);
  if (ortTypeOf(datatype) === "float64") new Float64Array(bytes.buffer).fill(1);
  if (ortTypeOf(datatype) === "float16") new Uint16Array(bytes.buffer).fill(0x3c00);
  if (datatype === "BF16") new Uint16Array(bytes.buffer).fill(0x3f80);
  return { datatype, shape, bytes };
}

import { type Dim, exampleSize, type Signature, type TensorSpec } from "../../base/signature.ts";
import { elementBytes, elementCount, type Tensor } from "../../base/tensor.ts";
import { ortTypeOf } from "./datatypes.ts";

/** Rows of the second warm-up, where batching allows them: what a busy server runs most. */
const TYPICAL_ROWS = 8;

/**
 * Inputs to run before a model is ready, so that the first request does not pay for lazy allocations: made of ones (floats) and zeros
 * (the rest, since integers are often indices), at a small size that the signature allows and at a typical batch size.
 */
export function warmUpInputs(signature: Signature): Tensor[][] {
  const { batching } = signature;
  const smallest = signature.inputs.map((spec) => filled(spec, sizes(spec, undefined, 1)));
  if (batching.kind === "off") return [smallest];
  const rows = Math.min(TYPICAL_ROWS, batching.maxRows ?? TYPICAL_ROWS);
  return [smallest, signature.inputs.map((spec) => filled(spec, sizes(spec, batching.symbol, rows)))];
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

import { JsonTensorDecoder } from "@sconce/protocol";
import type { TensorSpec } from "../../../base/signature.ts";
import type { NamedTensor } from "../../../base/tensor.ts";
import type { RestLimits } from "../../rest-limits.ts";
import type { Work } from "../../time-slicer.ts";
import type { Span } from "./json-scan.ts";
import { type NumbersSpec, pooledBytes } from "./plain-numbers.ts";

/** What a JSON value is read as, and what messages call it. */
interface DecodedSpec extends NumbersSpec {
  readonly field: string;
}

/** A decoder for a JSON value of a request, within the limits of the edge. */
export function tensorDecoder(
  body: Buffer,
  span: Span,
  { field, datatype, shape, limits }: DecodedSpec & { readonly limits: RestLimits },
): JsonTensorDecoder {
  return new JsonTensorDecoder(body, span, {
    field,
    datatype,
    shape,
    maxRank: limits.maxDims,
    maxElementBytes: limits.maxElementBytes,
    allocate: pooledBytes,
  });
}

/** Reads the value of one input: its datatype comes from the signature, its shape from the nesting. Throws `invalid_argument` naming the field. */
export function* readTensor(
  body: Buffer,
  span: Span,
  { spec, field, limits }: { readonly spec: TensorSpec; readonly field: string; readonly limits: RestLimits },
): Work<NamedTensor> {
  const decoder = tensorDecoder(body, span, { field, datatype: spec.datatype, shape: undefined, limits });
  yield decoder;
  const { datatype, shape, bytes } = decoder.finish();
  return { name: spec.name, datatype, shape, bytes };
}

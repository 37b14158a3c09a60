import { type Datatype, JsonTensorDecoder } from "@sconce/protocol";
import type { Tensor } from "../../../base/tensor.ts";
import type { RestLimits } from "../../rest-limits.ts";
import type { Span } from "./json-scan.ts";

/** Larger bodies are read in slices. */
const MAX_BODY_BYTES = 32 * 1024;

/** What is known of the numbers before they are read. */
export interface NumbersSpec {
  readonly datatype: Datatype;
  /** Undefined: their nesting says it. */
  readonly shape: readonly number[] | undefined;
}

/**
 * Reads a JSON value of numbers or booleans that is all there is between two known ends of a small body: its text needs no other check, since the
 * decoder takes nothing else. Undefined: the general reader is to read the body, and to say what is wrong with it.
 */
export function readPlainNumbers(
  body: Buffer,
  span: Span,
  { datatype, shape }: NumbersSpec,
  limits: RestLimits,
): Tensor | undefined {
  const { maxDims, maxJsonDepth, maxEnvelopeBytes } = limits;
  if (datatype === "BYTES" || body.length > Math.min(MAX_BODY_BYTES, maxEnvelopeBytes)) return undefined;
  // Levels around the data of a v2 request: the object, its list of inputs, the input.
  if (maxDims + 3 > maxJsonDepth) return undefined;
  try {
    const options = { field: "data", datatype, shape, maxRank: maxDims, allocate: pooledBytes };
    const decoder = new JsonTensorDecoder(body, span, options);
    decoder.step();
    return decoder.finish();
  } catch {
    return undefined;
  }
}

/**
 * Uninitialised memory, cut out of Node's pool when it is small: a typed array of its own costs a microsecond and work for the garbage
 * collector. A plain `Uint8Array`, whose `slice` copies as a Buffer's does not.
 */
export function pooledBytes(size: number): Uint8Array {
  const { buffer, byteOffset } = Buffer.allocUnsafe(size);
  return new Uint8Array(buffer, byteOffset, size);
}

import { type CodecLimits, DEFAULT_CODEC_LIMITS } from "./codec-limits.ts";
import { LENGTH, WireReader } from "./wire-reader.ts";

/**
 * The id (field 3) of a ModelInferRequest, PredictRequest or InputData that could not be decoded, so that the error can say whose it
 * is. Empty when not even that can be read. Never throws.
 */
export function peekRequestId(bytes: Uint8Array, limits: CodecLimits = DEFAULT_CODEC_LIMITS): string {
  const reader = new WireReader(bytes);
  try {
    for (let tag = reader.tag(bytes.length); tag !== 0; tag = reader.tag(bytes.length)) {
      if (tag === ((3 << 3) | LENGTH)) return reader.text(bytes.length, limits.maxIdBytes, "id");
      reader.skip(tag, bytes.length);
    }
  } catch {
    // Malformed before its id: it has none that we could name.
  }
  return "";
}

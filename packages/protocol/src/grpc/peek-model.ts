import { type CodecLimits, DEFAULT_CODEC_LIMITS } from "./codec-limits.ts";
import { LENGTH, WireReader } from "./wire-reader.ts";

/** The model that a message names, and the version if it names one. */
export interface NamedModel {
  readonly model: string;
  readonly version: string | undefined;
}

/**
 * The model (fields 1 and 2) that a ModelInferRequest or PredictRequest names, from its first bytes. Undefined when they do not say it for sure:
 * they end too early, or name it after other fields. Never throws.
 */
export function peekModel(
  bytes: Uint8Array,
  limits: CodecLimits = DEFAULT_CODEC_LIMITS,
): NamedModel | undefined {
  const reader = new WireReader(bytes);
  const end = bytes.length;
  let model = "";
  let version: string | undefined;
  try {
    for (let tag = reader.tag(end); tag !== 0; tag = reader.tag(end)) {
      if (tag === ((1 << 3) | LENGTH)) model = reader.text(end, limits.maxTextBytes, "the model's name");
      else if (tag === ((2 << 3) | LENGTH)) version = reader.text(end, limits.maxTextBytes, "the version");
      else return model === "" ? undefined : { model, version: version === "" ? undefined : version };
    }
  } catch {
    // Cut off, or malformed: decoding all of it will tell.
  }
  return undefined;
}

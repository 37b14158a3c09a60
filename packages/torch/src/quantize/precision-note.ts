import type { QuantizedModel, QuantizedPrecision } from "./quantize-options.ts";

/** What changed, in one sentence for logs and metadata. */
export function precisionNote(precision: QuantizedPrecision, { quantized, skipped }: QuantizedModel): string {
  const left = skipped.length === 0 ? "" : `, ${skipped.length} stayed as they were`;
  return `precision ${precision}: ${quantized.length} weights were changed at load${left}; compare answers with sconce quantize`;
}

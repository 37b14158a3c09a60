import type { QuantizedModel } from "@sconce/torch";
import type { Comparison } from "./compare-models.ts";
import { sizeText } from "./size-text.ts";

/** What `sconce quantize` prints: as JSON, this very object. */
export interface QuantizeReport extends Comparison, Pick<QuantizedModel, "quantized" | "skipped"> {
  readonly precision: string;
  /** Sizes of the files. */
  readonly bytes: { readonly before: number; readonly after: number };
  /** The inputs were made up: errors on real ones may be smaller or larger. */
  readonly isMadeUp: boolean;
}

const MOST_SKIPPED = 10;

export function reportText(report: QuantizeReport): string {
  const { bytes, quantized, skipped, trials, rejected } = report;
  const share = Math.round((100 * bytes.after) / bytes.before);
  const kind = report.isMadeUp ? "made-up inputs; compare on your own with --input" : "given inputs";
  const lines = [
    `precision  ${report.precision}: ${quantized.length} weights changed, ${skipped.length} left`,
    ...skipped.slice(0, MOST_SKIPPED).map(({ weight, reason }) => `  left     ${weight}: ${reason}`),
    ...(skipped.length > MOST_SKIPPED
      ? [`  left     and ${skipped.length - MOST_SKIPPED} more (--json lists all)`]
      : []),
    `size       ${sizeText(bytes.before)} → ${sizeText(bytes.after)} (${share} %)`,
    `speed      ${report.before.toFixed(3)} → ${report.after.toFixed(3)} ms a run on this machine`,
    `compared   on ${trials.length} ${kind}`,
    ...rejected.map((label) => `  rejected  ${label}: by the float model itself`),
    "",
    "output                     max error   mean error       cosine   top-1",
    ...report.outputs.map(
      ({ name, maxError, meanError, cosine, top1 }) =>
        `${name.padEnd(24)} ${number(maxError)} ${number(meanError)} ${cosine.toFixed(8).padStart(12)} ${
          top1 === undefined ? "      –" : `${(100 * top1).toFixed(1)} %`.padStart(7)
        }`,
    ),
  ];
  return `${lines.join("\n")}\n`;
}

function number(value: number): string {
  return value.toPrecision(3).padStart(11);
}

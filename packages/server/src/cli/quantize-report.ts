import type { QuantizedModel } from "@sconce/torch";
import type { Batching } from "../base/signature.ts";
import type { Comparison } from "./compare-models.ts";
import { sizeText } from "./size-text.ts";

/** What `sconce quantize` prints: as JSON, this very object. */
export interface QuantizeReport extends Comparison, Pick<QuantizedModel, "quantized" | "skipped"> {
  readonly precision: string;
  /** Ops that had fewer bits before, with their counts; undefined: none. */
  readonly already: string | undefined;
  /** Whether requests may share runs with either model. */
  readonly batching: { readonly before: Batching; readonly after: Batching };
  /** Of the model as ONNX with float weights, and of what was written. */
  readonly bytes: { readonly before: number; readonly after: number };
  /** The inputs were made up: errors on real ones may be smaller or larger. */
  readonly isMadeUp: boolean;
}

const MOST_SKIPPED = 10;

export function reportText(report: QuantizeReport): string {
  const { bytes, quantized, skipped, rejected, already } = report;
  const share = Math.round((100 * bytes.after) / bytes.before);
  const lines = [
    `precision  ${report.precision}: ${counted(quantized.length, "weight")} changed, ${skipped.length} left`,
    ...(already === undefined ? [] : [`  already  ${already}: as it was`]),
    ...skipped.slice(0, MOST_SKIPPED).map(({ weight, reason }) => `  left     ${weight}: ${reason}`),
    ...(skipped.length > MOST_SKIPPED
      ? [`  left     and ${skipped.length - MOST_SKIPPED} more (--json lists all)`]
      : []),
    `size       ${sizeText(bytes.before)} as float ONNX → ${sizeText(bytes.after)} (${share} %)`,
    `speed      ${speedText(report)}`,
    `batching   ${batchingText(report.batching)}`,
    `compared   ${comparedText(report)}`,
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

function speedText({ before, after, timedRows }: QuantizeReport): string {
  const rows = counted(timedRows, "row");
  const factor =
    before < after
      ? `${(after / before).toFixed(1)} times as long`
      : `${Math.round((100 * after) / before)} %`;
  return `${before.toFixed(3)} → ${after.toFixed(3)} ms a run of ${rows} on this machine (${factor})`;
}

function batchingText({ before, after }: QuantizeReport["batching"]): string {
  if (after.kind === "on") return "on: an answer does not depend on the other rows of its run";
  return before.kind === "on" ? `on → off: ${after.reason}` : `off, as it was: ${before.reason}`;
}

function comparedText({ rows, runs, trials, isMadeUp }: QuantizeReport): string {
  const kind = isMadeUp ? "made-up input" : "given input";
  const advice = isMadeUp ? "; compare on your own with --input" : "";
  return `on ${counted(rows, "row")} of ${counted(trials.length, kind)}, in ${counted(runs, "run")}${advice}`;
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

function number(value: number): string {
  return value.toPrecision(3).padStart(11);
}

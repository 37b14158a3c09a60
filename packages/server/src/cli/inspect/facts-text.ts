import type { ModelSummary, SummaryPort } from "@sconce/torch";
import type { Batching } from "../../base/signature.ts";
import { sizeText } from "../size-text.ts";
import type { ModelFileFacts } from "./model-file-facts.ts";

type Dim = SummaryPort["dims"][number];

/** What a file says, for people: a line for each question. */
export function factsText({ summary, runtime, batching, advice }: ModelFileFacts): string {
  const lines = [
    summary.detail,
    ...portLines("input", summary.inputs),
    ...portLines("output", summary.outputs),
    ...sizeLines(summary),
    ...(summary.state ?? []).map(
      ({ input, output }) => `state       ${input}: ${output} (kept by the server; clients do not send it)`,
    ),
    `precision   ${precisionText(summary)}`,
    `memory      ${memoryText(summary, runtime.name)}`,
    `parameters  ${summary.parameterCount.toLocaleString("en-US")} (${sizeText(summary.weightBytes)})`,
    `runtime     ${runtime.name ?? "none"}: ${runtime.why}`,
    ...summary.report.unsupported.map(
      ({ op, count, reason }) => `  unsupported  ${op} × ${count}: ${reason}`,
    ),
    ...(batching === undefined ? [] : [`batching    ${batchingText(batching, summary.format)}`]),
    ...advice.map(({ what, how }) => `faster      ${what}: ${how}`),
    ...summary.report.warnings.map((warning) => `warning     ${warning}`),
  ];
  if (summary.ops.length > 0) {
    lines.push("ops", ...summary.ops.map(({ op, count }) => `  ${String(count).padStart(5)}  ${op}`));
  }
  return `${lines.join("\n")}\n`;
}

/** `flower: float32 [batch 0…64, 4]` */
export function portText(port: SummaryPort): string {
  return `${port.name}: ${port.declared ?? port.dtype} [${port.dims.map(dimText).join(", ")}]`;
}

/** `on, along batch`, or why not. */
export function batchingText(batching: Batching, format: ModelSummary["format"]): string {
  if (batching.kind === "off") return `off: ${batching.reason}`;
  const most = batching.maxRows === undefined ? "" : `, ${batching.maxRows} rows of a run at most`;
  const isTried = format === "onnx" ? "; loading it tries whether its rows are independent" : "";
  return `on, along ${batching.symbol}${most}: requests that wait share runs${isTried}`;
}

function portLines(label: string, ports: readonly SummaryPort[]): string[] {
  return ports.map((port) => `${label.padEnd(11)} ${portText(port)}${aliasText(port)}`);
}

function aliasText({ aliases = [] }: SummaryPort): string {
  return aliases.length === 0 ? "" : ` (or ${aliases.join(", ")})`;
}

function dimText(dim: Dim): string {
  if (typeof dim === "number") return String(dim);
  const range = dim.max === undefined ? (dim.min > 1 ? ` ≥ ${dim.min}` : "") : ` ${dim.min}…${dim.max}`;
  return `${dim.symbol}${range}`;
}

/** Which sizes requests may choose, and what they must keep to. */
function sizeLines({ inputs, guards, format }: ModelSummary): string[] {
  if (format === "checkpoint" || format === "safetensors") return [];
  const free = new Map(
    inputs.flatMap(({ dims }) =>
      dims.flatMap((dim) => (typeof dim === "number" ? [] : [[dim.symbol, rangeText(dim)] as const])),
    ),
  );
  const sizes = Array.from(free, ([symbol, range]) => `${symbol} ${range}`);
  const given = sizes.length === 0 ? "all are fixed" : sizes.join(", ");
  return [
    `sizes       ${given}`,
    ...guards.map(({ text, requirement }) => `guard       ${text}: ${requirement}`),
  ];
}

function rangeText({ min, max, multipleOf = 1 }: Exclude<Dim, number>): string {
  const range = max === undefined ? (min > 0 ? `from ${min}` : "any") : `${min} to ${max}`;
  return multipleOf > 1 ? `${range}, a multiple of ${multipleOf}` : range;
}

/** Below this share of all bytes a dtype is that of counters and sizes. */
const LEAST_SHARE = 0.01;

function precisionText({ bytesByDtype, weightBytes }: ModelSummary): string {
  const parts = Object.entries(bytesByDtype)
    .map(([dtype, bytes]) => ({ dtype, share: bytes / weightBytes }))
    .filter(({ share }) => share >= LEAST_SHARE)
    .sort((a, b) => b.share - a.share);
  const [first, ...others] = parts;
  if (first === undefined) return "it has no weights";
  if (others.length === 0) return `${first.dtype} weights`;
  const shares = parts.map(({ dtype, share }) => `${dtype} ${Math.round(100 * share)} %`);
  return `${shares.join(", ")} of the weights' bytes`;
}

function memoryText({ weightBytes }: ModelSummary, runtime: string | undefined): string {
  if (runtime === undefined) return `${sizeText(weightBytes)} of weights`;
  return `${sizeText(weightBytes)} of weights for each instance, and what a worker and its runs take: --load measures it`;
}

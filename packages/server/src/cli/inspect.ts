import { basename } from "node:path";
import { type ModelSummary, type SummaryPort, summarizeFile as summarizeSource } from "@sconce/torch";
import { nodePlatform, openFileSource } from "@sconce/torch/node";
import type { Batching } from "../base/signature.ts";
import { resolveOptions } from "../config/resolve-options.ts";
import { batchingUnderGuards, decideBatching } from "../runtime/onnx/batching.ts";
import type { Command } from "./command.ts";
import { fileError } from "./file-error.ts";
import { requireModelFile } from "./model-path.ts";
import { sizeText } from "./size-text.ts";
import { STATED_INPUTS, type StatedInputs, statedInputs } from "./stated-inputs.ts";
import { usageError } from "./usage-error.ts";

const INSPECT_OPTIONS = {
  json: { kind: "flag", default: false, doc: "Print everything as JSON." },
} as const;

export const inspectCommand: Command = {
  name: "inspect",
  usage: "FILE",
  summary: "Shows a model file's inputs, outputs, parameters and ops, and which runtime will run it and why.",
  tables: [INSPECT_OPTIONS, STATED_INPUTS],
  async run(args, terminal) {
    const { json } = resolveOptions(INSPECT_OPTIONS, { flags: args.flags });
    const path = args.positionals[0];
    if (path === undefined || args.positionals.length > 1) {
      throw usageError(
        `expected one FILE, got ${args.positionals.length === 0 ? "none" : args.positionals.length}`,
      );
    }
    terminal.progress?.(`reading ${path}`);
    const summary = summarizeFile(path, statedInputs(args));
    terminal.progress?.();
    terminal.stdout.write(
      json
        ? `${JSON.stringify({ ...summary, runtime: runtimeOf(summary), batching: batchingOf(summary) }, null, 2)}\n`
        : summaryText(summary),
    );
    return 0;
  },
};

function summarizeFile(path: string, inputs: StatedInputs | undefined): ModelSummary {
  const name = basename(path);
  requireModelFile(path);
  const source = openFileSource(path);
  try {
    return summarizeSource(source, nodePlatform, inputs === undefined ? {} : { inputs: inputs.types });
  } catch (error) {
    throw fileError(name, error);
  } finally {
    source.close();
  }
}

/** Without a look at whether Python is there: that is known where the model is served. */
function runtimeOf(summary: ModelSummary): { readonly name: string | undefined; readonly why: string } {
  const { unsupported } = summary.report;
  if (summary.format === "checkpoint" || summary.format === "safetensors") {
    return {
      name: undefined,
      why: "the file holds weights and no program; put the model.py beside it that makes the model, or export it with torch.export.save",
    };
  }
  if (unsupported.length > 0) {
    const kinds = unsupported.length === 1 ? "1 kind of op" : `${unsupported.length} kinds of op`;
    return {
      name: "python",
      why: `${kinds} cannot be translated to ONNX, so that it takes Python with PyTorch (--python)`,
    };
  }
  return {
    name: "onnx",
    why: summary.format === "onnx" ? "the file is ONNX" : "every op translates to ONNX; no Python is needed",
  };
}

/** Whether requests may share a run; undefined for what is not a program of PyTorch's, or cannot be served. */
function batchingOf({ format, inputs, outputs, guards, report }: ModelSummary): Batching | undefined {
  const isProgram = format === "pt2" || format === "torchscript";
  if (!isProgram || report.unsupported.length > 0) return undefined;
  return batchingUnderGuards(decideBatching(inputs, outputs, "pytorch"), guards);
}

function summaryText(summary: ModelSummary): string {
  const runtime = runtimeOf(summary);
  const lines = [
    summary.detail,
    ...portLines("input", summary.inputs),
    ...portLines("output", summary.outputs),
    ...summary.guards.map(({ text }) => `guard       ${text}`),
    ...(summary.state ?? []).map(
      ({ input, output }) => `state       ${input}: ${output} (kept by the server; clients do not send it)`,
    ),
    `parameters  ${summary.parameterCount.toLocaleString("en-US")} (${sizeText(summary.weightBytes)})`,
    `runtime     ${runtime.name ?? "none"}: ${runtime.why}`,
    ...summary.report.unsupported.map(
      ({ op, count, reason }) => `  unsupported  ${op} × ${count}: ${reason}`,
    ),
    ...batchingLines(batchingOf(summary)),
    ...summary.report.warnings.map((warning) => `warning     ${warning}`),
  ];
  if (summary.ops.length > 0) {
    lines.push("ops", ...summary.ops.map(({ op, count }) => `  ${String(count).padStart(5)}  ${op}`));
  }
  return `${lines.join("\n")}\n`;
}

function batchingLines(batching: Batching | undefined): string[] {
  if (batching === undefined) return [];
  return [
    `batching    ${batching.kind === "on" ? `on, along ${batching.symbol}` : `off: ${batching.reason}`}`,
  ];
}

function portLines(label: string, ports: readonly SummaryPort[]): string[] {
  return ports.map(
    (port) =>
      `${label.padEnd(11)} ${port.name}: ${port.declared ?? port.dtype} [${port.dims.map(dimText).join(", ")}]${aliasText(port)}`,
  );
}

function aliasText({ aliases = [] }: SummaryPort): string {
  return aliases.length === 0 ? "" : ` (or ${aliases.join(", ")})`;
}

function dimText(dim: SummaryPort["dims"][number]): string {
  if (typeof dim === "number") return String(dim);
  const range = dim.max === undefined ? (dim.min > 1 ? ` ≥ ${dim.min}` : "") : ` ${dim.min}…${dim.max}`;
  return `${dim.symbol}${range}`;
}

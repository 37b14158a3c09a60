import type { ByteSource, Platform } from "../byte-source.ts";
import type { Program } from "../graph/ir.ts";
import type { TorchScriptOptions } from "../torchscript/torchscript.ts";
import { countWeights } from "./count-weights.ts";
import { lowerFile } from "./lower-file.ts";
import { readProgramFile } from "./program-file.ts";
import { programRowMixing } from "./program-row-mixing.ts";
import type { ModelSummary } from "./translation.ts";

/** What a program file holds: signature, size, ops, and whether it can be translated. Throws ModelFileError. */
export function summarize(
  source: ByteSource,
  platform: Platform,
  options: TorchScriptOptions = {},
): ModelSummary {
  const file = readProgramFile(source, platform, options);
  const { program, ...lowered } = lowerFile(file, { location: source.name });
  return {
    format: file.format,
    detail: program.detail,
    inputs: lowered.inputs,
    outputs: lowered.outputs,
    guards: lowered.guards,
    ...(program.state !== undefined && { state: program.state }),
    ...countWeights(program),
    ops: countOps(program),
    rowMixing: programRowMixing(program, lowered.model),
    report: {
      unsupported: lowered.unsupported,
      warnings: lowered.warnings,
    },
  };
}

function countOps({ graph }: Program): { op: string; count: number }[] {
  const counts = new Map<string, number>();
  for (const { target } of graph.nodes) counts.set(target, (counts.get(target) ?? 0) + 1);
  return [...counts]
    .map(([op, count]) => ({ op, count }))
    .sort((a, b) => b.count - a.count || (a.op < b.op ? -1 : 1));
}

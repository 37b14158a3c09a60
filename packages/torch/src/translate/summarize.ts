import type { ByteSource, Platform } from "../byte-source.ts";
import type { Program } from "../graph/ir.ts";
import { optimizeProgram } from "../graph/passes.ts";
import { lowerProgram } from "../lower/lower-program.ts";
import { TABLES } from "../lower/tables.ts";
import type { TorchScriptOptions } from "../torchscript/torchscript.ts";
import { countWeights } from "./count-weights.ts";
import { readProgramFile } from "./program-file.ts";
import type { ModelSummary } from "./translation.ts";

/** What a program file holds: signature, size, ops, and whether it can be translated. Throws ModelFileError. */
export function summarize(
  source: ByteSource,
  platform: Platform,
  options: TorchScriptOptions = {},
): ModelSummary {
  const { format, program } = readProgramFile(source, platform, options);
  const optimized = optimizeProgram(program);
  const lowered = lowerProgram(optimized.program, TABLES, source.name);
  return {
    format,
    detail: program.detail,
    inputs: lowered.inputs,
    outputs: lowered.outputs,
    guards: lowered.guards,
    ...countWeights(program),
    ops: countOps(program),
    report: {
      unsupported: [...optimized.unsupported, ...lowered.unsupported],
      warnings: [...optimized.program.warnings, ...lowered.warnings],
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

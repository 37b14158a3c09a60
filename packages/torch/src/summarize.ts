import { elementCount } from "./archive/stored-tensor.ts";
import type { ByteSource, Platform } from "./byte-source.ts";
import { BYTE_WIDTHS } from "./dtype.ts";
import { readProgramFile } from "./formats.ts";
import type { Program } from "./graph/ir.ts";
import { optimizeProgram } from "./graph/passes.ts";
import { lowerProgram } from "./lower/lower-program.ts";
import { LOWERINGS } from "./lower/table.ts";
import type { ModelSummary } from "./translation.ts";

/** What a program file holds: signature, size, ops, and whether it can be translated. Throws ModelFileError. */
export function summarize(source: ByteSource, platform: Platform): ModelSummary {
  const { format, program } = readProgramFile(source, platform);
  const optimized = optimizeProgram(program);
  const lowered = lowerProgram(optimized.program, LOWERINGS, source.name);
  return {
    format,
    detail: program.detail,
    inputs: lowered.inputs,
    outputs: lowered.outputs,
    ...countWeights(program),
    ops: countOps(program),
    report: {
      unsupported: [...optimized.refused, ...lowered.refused],
      warnings: [...program.warnings, ...lowered.warnings],
    },
  };
}

/** Tied weights count once. */
function countWeights({ weights }: Program): { parameterCount: number; weightBytes: number } {
  const seen = new Map<unknown, Set<string>>();
  let [parameterCount, weightBytes] = [0, 0];
  for (const { tensor } of weights.values()) {
    const { dtype, shape, strides, storageOffset, storage } = tensor;
    const views = seen.get(storage) ?? new Set<string>();
    seen.set(storage, views);
    const view = `${storageOffset}:${shape}:${strides}`;
    if (views.has(view)) continue;
    views.add(view);
    parameterCount += elementCount(shape);
    weightBytes += elementCount(shape) * BYTE_WIDTHS[dtype];
  }
  return { parameterCount, weightBytes };
}

function countOps({ graph }: Program): { op: string; count: number }[] {
  const counts = new Map<string, number>();
  for (const { target } of graph.nodes) counts.set(target, (counts.get(target) ?? 0) + 1);
  return [...counts]
    .map(([op, count]) => ({ op, count }))
    .sort((a, b) => b.count - a.count || (a.op < b.op ? -1 : 1));
}

import { removeDeadNodes } from "./dead-code.ts";
import { functionalise } from "./functionalise.ts";
import { inlineRegions } from "./inline-regions.ts";
import type { Program, RefusedOps } from "./ir.ts";

export interface OptimizedProgram {
  readonly program: Program;
  /** Ops that the reader could not describe or a pass could not replace, with the reason; the program cannot be translated then. */
  readonly refused: readonly RefusedOps[];
}

/** All passes, in order: afterwards the program is functional and holds only what its outputs need. */
export function optimizeProgram(program: Program): OptimizedProgram {
  const { outputs } = program;
  const whole = { ...program.graph, outputs: outputs.map(({ arg }) => arg) };
  const inlined = inlineRegions(whole);
  const functional = functionalise(inlined.graph, sharedMemory(program));
  const graph = removeDeadNodes(functional.graph);
  const warnings = functional.mutatedInputs.map(
    (name) =>
      `the program writes into '${program.weights.get(name)?.name ?? name}'; the change is not kept between requests`,
  );
  return {
    program: {
      ...program,
      graph,
      outputs: outputs.map(({ name }, i) => ({ name, arg: graph.outputs[i]! })),
      warnings: [...program.warnings, ...inlined.warnings, ...warnings],
    },
    refused: [
      ...(program.refused ?? []),
      ...functional.refused.map(({ op, reason }) => ({ op, reason, count: 1 })),
    ],
  };
}

/** Weights that lie in the same storage, by graph input name. */
function sharedMemory({ weights }: Program): string[][] {
  const groups = new Map<unknown, string[]>();
  for (const [name, { tensor }] of weights) {
    const group = groups.get(tensor.storage);
    if (group === undefined) groups.set(tensor.storage, [name]);
    else group.push(name);
  }
  return [...groups.values()].filter((group) => group.length > 1);
}

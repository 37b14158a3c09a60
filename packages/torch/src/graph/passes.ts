import { removeDeadNodes } from "./dead-code.ts";
import type { Program, RefusedOps } from "./ir.ts";

export interface OptimizedProgram {
  readonly program: Program;
  /** Ops that the reader could not describe or a pass could not remove, with the reason; the program cannot be translated then. */
  readonly refused: readonly RefusedOps[];
}

/** All passes, in order: afterwards the program is functional and holds only what its outputs need. */
export function optimizeProgram(program: Program): OptimizedProgram {
  const graph = removeDeadNodes(program.graph);
  return { program: { ...program, graph }, refused: program.refused ?? [] };
}

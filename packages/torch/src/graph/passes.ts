import { removeDeadNodes } from "./dead-code.ts";
import type { Program } from "./ir.ts";

export interface OptimizedProgram {
  readonly program: Program;
  /** Ops that a pass could not remove, with the reason; the program cannot be translated then. */
  readonly refused: readonly { readonly op: string; readonly count: number; readonly reason: string }[];
}

/** All passes, in order: afterwards the program is functional and holds only what its outputs need. */
export function optimizeProgram(program: Program): OptimizedProgram {
  const graph = removeDeadNodes(program.graph);
  return { program: { ...program, graph }, refused: [] };
}

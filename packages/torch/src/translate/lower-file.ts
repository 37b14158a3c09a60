import type { Program } from "../graph/ir.ts";
import { optimizeProgram } from "../graph/passes.ts";
import { dtypeFaults } from "../lower/checks/dtype-faults.ts";
import { type LoweredProgram, type LowerProgramOptions, lowerProgram } from "../lower/lower-program.ts";
import { TABLES } from "../lower/tables.ts";
import type { ProgramFile } from "./program-file.ts";

export interface LowerOptions extends LowerProgramOptions {
  /** What is done to the program before it is lowered. */
  readonly prepare?: (program: Program) => Program;
}

export interface LoweredFile extends Omit<LoweredProgram, "warnings"> {
  /** As it was prepared, before any pass. */
  readonly program: Program;
  readonly warnings: readonly string[];
}

/**
 * Lowers the program of a file. Ops that have a translation for known sizes alone take those of the program's example, where it has
 * one: the program is read again for them.
 */
export function lowerFile(file: ProgramFile, options: LowerOptions): LoweredFile {
  let [reading, lowered] = [file.reading, lowerOnce(file.reading.program, options)];
  while (lowered.unsupported.length > 0) {
    const next = reading.narrowed(lowered.unsupported.map(({ op }) => op));
    if (next === undefined) break;
    [reading, lowered] = [next, lowerOnce(next.program, options)];
  }
  return lowered;
}

function lowerOnce(read: Program, { prepare, ...options }: LowerOptions): LoweredFile {
  const program = prepare === undefined ? read : prepare(read);
  const { program: ready, unsupported } = optimizeProgram(program);
  const lowered = lowerProgram(ready, TABLES, options);
  const faults = dtypeFaults(program.graph);
  // What else is against an op whose dtypes are wrong only follows from that.
  const faulty = new Set(faults.map(({ op }) => op));
  const others = [...unsupported, ...lowered.unsupported].filter(({ op }) => !faulty.has(op));
  return {
    ...lowered,
    program,
    unsupported: [...faults, ...others],
    warnings: [...ready.warnings, ...lowered.warnings],
  };
}

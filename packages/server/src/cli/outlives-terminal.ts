import { readFileSync, readlinkSync } from "node:fs";
import { basename } from "node:path";
import { isatty } from "node:tty";

/** What a process can see of how it was started. */
export interface StartFacts {
  /** `_` of the environment: the command that a shell ran. */
  readonly command: string | undefined;
  /** Where the standard output and error go. */
  readonly outputs: readonly (string | undefined)[];
  /** It belongs to a terminal, whose end it is told by SIGHUP. */
  readonly hasTerminal: boolean;
  /** One of the standard streams is a terminal. */
  readonly usesTerminal: boolean;
}

/**
 * Whether a process is meant to outlive its terminal: nohup started it, or it belongs to a terminal and neither reads nor writes there. Node
 * takes back every signal that it was started to ignore before a program can see that, so nohup is told by its traces.
 */
export function outlivesTerminal({ command, outputs, hasTerminal, usesTerminal }: StartFacts): boolean {
  if (command !== undefined && basename(command) === "nohup") return true;
  if (outputs.some((path) => path !== undefined && basename(path) === "nohup.out")) return true;
  return hasTerminal && !usesTerminal;
}

/** The facts of this process. */
export function startFacts(): StartFacts {
  return {
    command: process.env["_"],
    outputs: [1, 2].map(targetOf),
    hasTerminal: terminalNumber() !== 0,
    usesTerminal: [0, 1, 2].some((fd) => isatty(fd)),
  };
}

function targetOf(fd: number): string | undefined {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return undefined;
  }
}

/** The device number of the controlling terminal; 0 without one, and where the system does not say. */
function terminalNumber(): number {
  try {
    // The name of the program, in brackets, may hold anything.
    const fields = readFileSync("/proc/self/stat", "utf8")
      .replace(/^.*\)\s*/s, "")
      .split(" ");
    return Number(fields[4] ?? 0);
  } catch {
    return 0;
  }
}

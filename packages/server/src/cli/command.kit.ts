import { parseArguments } from "./arguments.ts";
import type { Command, Terminal } from "./command.ts";

/** What a command printed, and its exit code. */
export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command in this process, with nothing in its environment. Rejects as it does. */
export function runCommand(command: Command, ...argv: readonly string[]): Promise<Ran> {
  return runCommandWith({}, command, argv);
}

/** The same, at a terminal that can do more. */
export async function runCommandWith(
  more: Partial<Terminal>,
  command: Command,
  argv: readonly string[],
): Promise<Ran> {
  const printed = { stdout: "", stderr: "" };
  const terminal: Terminal = {
    stdout: { write: (text: string) => (printed.stdout += text) },
    stderr: { write: (text: string) => (printed.stderr += text) },
    env: {},
    readStdin: async () => Buffer.alloc(0),
    ...more,
  };
  const code = await command.run(parseArguments(argv, command.tables), terminal);
  return { code, ...printed };
}

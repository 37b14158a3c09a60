import { openFileLimit } from "../app/open-file-limit.ts";
import { oneLine, printable } from "../base/printable.ts";
import { outlivesTerminal, startFacts } from "./outlives-terminal.ts";
import { type StopSignals, takeSignals } from "./stop-signals.ts";

/** Below, not even the modules of this program can be read; the server keeps a quarter for workers and model files. */
const LEAST_OPEN_FILES = 256;

/**
 * The program from its first line: what must hold before anything large is loaded. Resolves with the exit code. Errors of the system, such as
 * too few descriptors, are one line and not a stack.
 */
export async function runProgram(argv: readonly string[]): Promise<number> {
  outliveOutput();
  const facts = startFacts();
  const signals: StopSignals | undefined =
    argv[0] === "serve" && !argv.includes("--dry-run")
      ? takeSignals(process, {
          nowMs: () => performance.now(),
          endsWithTerminal: facts.usesTerminal && !outlivesTerminal(facts),
        })
      : undefined;
  const files = openFileLimit();
  if (files < LEAST_OPEN_FILES) {
    process.stderr.write(
      `sconce: only ${files} files may be open at once, and it takes ${LEAST_OPEN_FILES}: raise the limit (ulimit -n, LimitNOFILE= of systemd)\n`,
    );
    return 1;
  }
  try {
    const { main, processTerminal } = await import("./main.ts");
    return await main(argv, { ...processTerminal, ...(signals !== undefined && { signals }) });
  } catch (error) {
    const words = isSystemError(error) ? oneLine(error.message) : printable(stackOf(error));
    process.stderr.write(`sconce: ${words}\n`);
    return 1;
  }
}

/** Of an error that is a fault of ours. Its message may hold names of files, so Node does not get to print it. */
function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/** Whoever read the output may be gone (`| head -1`), and the disk behind it full: that is no reason to stop serving. */
function outliveOutput(): void {
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
}

function isSystemError(error: unknown): error is Error {
  return (
    error instanceof Error && "code" in error && "syscall" in error && /^E[A-Z0-9]+$/.test(String(error.code))
  );
}

import { constants } from "node:os";

/** The process as far as its end goes. */
export interface EndingProcess {
  on(event: NodeJS.Signals | "exit", listener: () => void): unknown;
  off(event: NodeJS.Signals | "exit", listener: () => void): unknown;
  exit(code: number): void;
}

const ENDING = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * Has `undo` run when this process ends, by Ctrl-C or another signal as well, until the function that it returns is called: for folders,
 * and processes that would go on by themselves. `undo` must not wait for anything. While nothing is to be undone, signals end the process as
 * always, in the middle of a computation too.
 */
export function undoneAtEnd(undo: () => void, ending: EndingProcess = process): () => void {
  const listeners = ENDING.map(
    (signal) => [signal, () => ending.exit(128 + constants.signals[signal])] as const,
  );
  ending.on("exit", undo);
  for (const [signal, listener] of listeners) ending.on(signal, listener);
  return () => {
    for (const [signal, listener] of listeners) ending.off(signal, listener);
    ending.off("exit", undo);
  };
}

import type { FromEdge } from "./edge-messages.ts";

/** Lines of the log that may wait for the server process to take them. */
const MAX_WAITING = 10_000;

/**
 * Tells the server process. When it does not listen as fast as there is something to tell, lines of the log are left out, and how many is told once it does;
 * everything else waits. `send`: calls `done` when the system has taken the message.
 */
export function createTeller(
  send: (message: FromEdge, done: () => void) => void,
): (message: FromEdge) => void {
  let waiting = 0;
  let leftOut = 0;
  const done = (): void => {
    waiting -= 1;
    if (leftOut === 0 || waiting > MAX_WAITING / 2) return;
    const fields = { lines: leftOut };
    leftOut = 0;
    tell({ kind: "log", level: "warn", fields, message: "lines of the log were left out" });
  };
  const tell = (message: FromEdge): void => {
    if (message.kind === "log" && waiting >= MAX_WAITING) {
      leftOut += 1;
      return;
    }
    waiting += 1;
    send(message, done);
  };
  return tell;
}

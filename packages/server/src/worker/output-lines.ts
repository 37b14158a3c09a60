import type { Readable } from "node:stream";
import type { Clock } from "../base/clock.ts";
import { LineLimit } from "./line-limit.ts";

const MAX_LINE_CHARS = 4096;
const MAX_LINES_PER_SECOND = 100;
/** Reading more would cost the server process more than a model's noise is worth; whoever writes it waits. */
const MAX_CHARS_PER_WINDOW = 4 * 1024 * 1024;
const WINDOW_MS = 250;

/**
 * Reads a worker's standard output or error line by line. At most 100 lines a second pass, longer lines are cut at 4,096 characters; what
 * was left out is counted in one line of its own, so that a noisy model can fill neither the log nor the memory of the server process. Past 16 MiB a second
 * its writes wait, so that it cannot fill this process's time either.
 */
export function readOutputLines(stream: Readable, clock: Clock, onLine: (line: string) => void): void {
  const limit = new LineLimit(clock, MAX_LINES_PER_SECOND);
  let rest = "";
  const reportDropped = (): void => {
    const dropped = limit.takeDropped();
    if (dropped > 0) onLine(`(${dropped} more lines were left out)`);
  };
  const pass = (line: string): void => {
    if (!limit.take()) return;
    reportDropped();
    onLine(line.length > MAX_LINE_CHARS ? `${line.slice(0, MAX_LINE_CHARS)}…` : line);
  };
  stream.setEncoding("utf8");
  let windowStartMs = clock.nowMs();
  let inWindow = 0;
  const slowDown = (chars: number): void => {
    const nowMs = clock.nowMs();
    if (nowMs - windowStartMs >= WINDOW_MS) {
      windowStartMs = nowMs;
      inWindow = 0;
    }
    inWindow += chars;
    if (inWindow <= MAX_CHARS_PER_WINDOW) return;
    stream.pause();
    clock.after(WINDOW_MS, () => stream.resume());
  };
  stream.on("data", (text: string) => {
    slowDown(text.length);
    const lines = (rest + text).split("\n");
    rest = (lines.pop() ?? "").slice(0, MAX_LINE_CHARS + 1);
    for (const line of lines) if (line !== "") pass(line);
  });
  stream.on("end", () => {
    if (rest !== "") pass(rest);
    reportDropped();
  });
  // A broken pipe means that the worker ended; its exit is reported where the process is watched.
  stream.on("error", () => {});
}

import { writeSync } from "node:fs";
import { type DestinationStream, pino } from "pino";
import type { Logger } from "../base/logger.ts";
import { oneLine, printable } from "../base/printable.ts";
import { readableLine } from "./log-line.ts";

/** How log lines look: `auto` is for people on a terminal, and JSON anywhere else. */
export type LogFormat = "auto" | "json" | "text";

/** Lines for people on standard error where those are wanted; undefined: JSON is. */
export function readableStream(
  format: LogFormat,
  env: Readonly<Record<string, string | undefined>>,
): DestinationStream | undefined {
  const isTerminal = process.stderr.isTTY === true;
  if (format === "json" || (format === "auto" && !isTerminal)) return undefined;
  const style = { isColoured: isTerminal && !env["NO_COLOR"] && env["TERM"] !== "dumb", shown: oneLine };
  // A window may be made wider or narrower.
  const columns = (): number | undefined => (isTerminal ? process.stderr.columns || undefined : undefined);
  return { write: (line) => writeRaw(readableLine(line.trimEnd(), { ...style, columns: columns() })) };
}

/** JSON lines on standard error, written synchronously so that the last words of a process are not lost. */
export function createLogger(level: string, stream: DestinationStream = standardError): Logger {
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, stream);
}

/** Drops lines that cannot be written: nobody reads any more, or the disk is full. The next one is tried again. */
const standardError: DestinationStream = {
  write: (line) => writeRaw(printable(line)),
};

function writeRaw(text: string): void {
  try {
    writeWhole(2, Buffer.from(text));
  } catch {
    // There is nowhere left to say it.
  }
}

/** How often a full pipe that does not block is tried again, a millisecond apart, before the rest of a line is dropped. */
const MOST_TRIES = 10;
const pause = new Int32Array(new SharedArrayBuffer(4));

function writeWhole(fd: number, bytes: Buffer): void {
  let written = 0;
  for (let tries = 0; written < bytes.length && tries < MOST_TRIES; ) {
    try {
      written += writeSync(fd, bytes, written);
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EAGAIN")) throw error;
      tries += 1;
      Atomics.wait(pause, 0, 0, 1);
    }
  }
}

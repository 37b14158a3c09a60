import { type DestinationStream, destination, pino } from "pino";
import type { Logger } from "../base/logger.ts";

/** JSON lines on standard error, written synchronously so that the last words of a process are not lost. */
export function createLogger(
  level: string,
  stream: DestinationStream = destination({ dest: 2, sync: true }),
): Logger {
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, stream);
}

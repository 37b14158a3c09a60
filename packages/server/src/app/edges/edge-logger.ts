import type { Logger } from "../../base/logger.ts";
import type { FromEdge, LogLevel } from "./edge-messages.ts";

const LEVELS: readonly string[] = ["debug", "info", "warn", "error"];

/** A log that the server process writes. What its level leaves out is not told at all. */
export interface EdgeLogger extends Logger {
  setLevel(level: string): void;
}

export function createEdgeLogger(tell: (message: FromEdge) => void): EdgeLogger {
  let least = 0;
  const withFields = (own: object): Logger => {
    const log = (level: LogLevel) => {
      const rank = LEVELS.indexOf(level);
      return (fields: object, message: string): void => {
        if (rank >= least) tell({ kind: "log", level, fields: plain({ ...own, ...fields }), message });
      };
    };
    return {
      debug: log("debug"),
      info: log("info"),
      warn: log("warn"),
      error: log("error"),
      child: (fields) => withFields({ ...own, ...fields }),
    };
  };
  return {
    ...withFields({}),
    setLevel(level) {
      const at = LEVELS.indexOf(level);
      least = at < 0 ? LEVELS.length : at;
    },
  };
}

/** An error of ours would lose its words on the way. */
function plain(fields: object): object {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]: [string, unknown]) => [
      name,
      value instanceof Error ? plainError(value) : value,
    ]),
  );
}

function plainError(error: Error): Error {
  const copy = new Error(error.message);
  copy.name = error.name;
  copy.stack =
    error.cause instanceof Error ? `${error.stack}\ncaused by ${error.cause.stack}` : (error.stack ?? "");
  return copy;
}

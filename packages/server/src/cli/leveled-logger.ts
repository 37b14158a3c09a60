import type { Logger } from "../base/logger.ts";

/** A logger whose level may change, with that of all loggers that were made of it. */
export interface LeveledLogger extends Logger {
  setLevel(level: string): void;
}

const RANKS: Readonly<Record<string, number>> = { debug: 0, info: 1, warn: 2, error: 3, silent: 4 };

/** `logger` writes whatever it is given; what is below the level is not given to it. */
export function leveledLogger(logger: Logger, level: string): LeveledLogger {
  const threshold = { rank: rankOf(level) };
  return {
    ...filtered(logger, threshold),
    setLevel(next) {
      threshold.rank = rankOf(next);
    },
  };
}

function filtered(logger: Logger, threshold: { readonly rank: number }): Logger {
  return {
    debug(fields, message) {
      if (threshold.rank <= 0) logger.debug(fields, message);
    },
    info(fields, message) {
      if (threshold.rank <= 1) logger.info(fields, message);
    },
    warn(fields, message) {
      if (threshold.rank <= 2) logger.warn(fields, message);
    },
    error(fields, message) {
      if (threshold.rank <= 3) logger.error(fields, message);
    },
    child: (fields) => filtered(logger.child(fields), threshold),
  };
}

function rankOf(level: string): number {
  return RANKS[level] ?? 1;
}

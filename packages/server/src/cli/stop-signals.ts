import { constants } from "node:os";

/** The process as far as signals go. */
export interface SignalSource {
  on(signal: NodeJS.Signals, listener: () => void): unknown;
  exit(code: number): void;
}

/** The signals of a server process, from the first line of the program on. */
export interface StopSignals {
  /** Drains from now on when asked to end; resolves when that is done. Before, there is nothing to drain: the process ends with 0. */
  untilStopped(drain: () => Promise<void>): Promise<void>;
  /** Ends the process as a first SIGTERM does. */
  stop(): void;
  /** What SIGHUP asks for, where it does not end the server. */
  onReload(reload: () => void): void;
  /** What SIGUSR2 asks for. */
  onReport(report: () => void): void;
}

/** Each of these ends the server once its requests are answered. */
const STOPPING = ["SIGTERM", "SIGINT", "SIGQUIT"] as const;
/** A terminal sends Ctrl-C to npm and to the server, and npm passes it on: that is one wish, not two. */
const SAME_WISH_MS = 500;

/**
 * Takes over the signals: the first of STOPPING drains, a second one ends the process at once with 128 + its number. SIGUSR1 does nothing
 * (Node would open its debugger), SIGUSR2 reports. SIGHUP asks to read files again; with `endsWithTerminal` it says that the terminal is gone, and
 * drains.
 */
export function takeSignals(
  source: SignalSource,
  { nowMs, endsWithTerminal }: { readonly nowMs: () => number; readonly endsWithTerminal: boolean },
): StopSignals {
  let drain: (() => void) | undefined;
  let report = (): void => {};
  let reload = (): void => {};
  let stoppedAtMs: number | undefined;
  const stop = (signal: NodeJS.Signals = "SIGTERM"): void => {
    if (stoppedAtMs === undefined) {
      stoppedAtMs = nowMs();
      if (drain === undefined) source.exit(0);
      else drain();
    } else if (nowMs() - stoppedAtMs >= SAME_WISH_MS) source.exit(128 + constants.signals[signal]);
  };
  for (const signal of STOPPING) source.on(signal, () => stop(signal));
  source.on("SIGHUP", () => (endsWithTerminal ? stop("SIGHUP") : reload()));
  source.on("SIGUSR1", () => {});
  source.on("SIGUSR2", () => report());
  return {
    untilStopped: (work) =>
      new Promise((resolve, reject) => {
        drain = () => void work().then(resolve, reject);
      }),
    stop: () => stop(),
    onReload(next) {
      reload = next;
    },
    onReport(next) {
      report = next;
    },
  };
}

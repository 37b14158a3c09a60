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
  /** What SIGUSR2 asks for. */
  onReport(report: () => void): void;
}

/** Each of these ends the server once its requests are answered. */
const STOPPING = ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT"] as const;
/** A terminal sends Ctrl-C to npm and to the server, and npm passes it on: that is one wish, not two. */
const SAME_WISH_MS = 500;

/**
 * Takes over the signals: the first of STOPPING drains, a second one ends the process at once with 128 + its number. SIGUSR1 does nothing
 * (Node would open its debugger), SIGUSR2 reports. `outlivesTerminal`: SIGHUP does nothing.
 */
export function takeSignals(
  source: SignalSource,
  { nowMs, outlivesTerminal }: { readonly nowMs: () => number; readonly outlivesTerminal: boolean },
): StopSignals {
  let drain: (() => void) | undefined;
  let report = (): void => {};
  let stoppedAtMs: number | undefined;
  const stop = (signal: NodeJS.Signals = "SIGTERM"): void => {
    if (stoppedAtMs === undefined) {
      stoppedAtMs = nowMs();
      if (drain === undefined) source.exit(0);
      else drain();
    } else if (nowMs() - stoppedAtMs >= SAME_WISH_MS) source.exit(128 + constants.signals[signal]);
  };
  for (const signal of STOPPING) {
    const isIgnored = signal === "SIGHUP" && outlivesTerminal;
    source.on(signal, isIgnored ? () => {} : () => stop(signal));
  }
  source.on("SIGUSR1", () => {});
  source.on("SIGUSR2", () => report());
  return {
    untilStopped: (work) =>
      new Promise((resolve, reject) => {
        drain = () => void work().then(resolve, reject);
      }),
    stop: () => stop(),
    onReport(next) {
      report = next;
    },
  };
}

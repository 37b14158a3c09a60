import { readFileSync } from "node:fs";
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
 * (Node would open its debugger), SIGUSR2 reports. `isIgnored`: what whoever started the process had it ignore, as nohup does SIGHUP.
 */
export function takeSignals(
  source: SignalSource,
  {
    nowMs,
    isIgnored = isIgnoredAtStart,
  }: { readonly nowMs: () => number; readonly isIgnored?: (signal: NodeJS.Signals) => boolean },
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
  for (const signal of STOPPING) if (!isIgnored(signal)) source.on(signal, () => stop(signal));
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

/** Whether this process was started with the signal ignored; false where the system does not say. */
function isIgnoredAtStart(signal: NodeJS.Signals): boolean {
  try {
    const [, mask] = /^SigIgn:\s*([0-9a-f]+)/m.exec(readFileSync("/proc/self/status", "utf8")) ?? [];
    return ((BigInt(`0x${mask ?? "0"}`) >> BigInt(constants.signals[signal] - 1)) & 1n) === 1n;
  } catch {
    return false;
  }
}

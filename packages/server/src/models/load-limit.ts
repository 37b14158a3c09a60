import type { CancelSignal } from "../base/call-signal.ts";
import { ServeError } from "../base/errors.ts";

/** Lets a bounded number of loads run at once; the others wait in order of arrival. */
export interface LoadLimit {
  /** Runs `work` when fewer than the limit run. Rejects with the signal's reason when it fires before that. */
  run<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T>;
}

/** `most`: loads at once. */
export function createLoadLimit(most: number): LoadLimit {
  const waiting: (() => void)[] = [];
  let free = most;
  const take = async (signal: AbortSignal): Promise<void> => {
    signal.throwIfAborted();
    if (free > 0) {
      free -= 1;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const enter = (): void => {
        signal.removeEventListener("abort", leave);
        resolve();
      };
      const leave = (): void => {
        waiting.splice(waiting.indexOf(enter), 1);
        reject(abortReason(signal));
      };
      waiting.push(enter);
      signal.addEventListener("abort", leave, { once: true });
    });
  };
  const give = (): void => {
    const next = waiting.shift();
    if (next === undefined) free += 1;
    else next();
  };
  return {
    async run(signal, work) {
      await take(signal);
      try {
        return await work();
      } finally {
        give();
      }
    },
  };
}

/** Waits for `promise`, but no longer than until `signal` fires. The promise itself goes on. */
export function untilAborted<T>(promise: Promise<T>, signal: CancelSignal): Promise<T> {
  if (signal.aborted) return Promise.reject(abortReason(signal));
  return new Promise((resolve, reject) => {
    const leave = { handleEvent: (): void => reject(abortReason(signal)) };
    signal.addEventListener("abort", leave);
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", leave));
  });
}

/** Why a signal fired, as an error for the caller. */
export function abortReason(signal: Pick<CancelSignal, "reason">): ServeError {
  if (signal.reason instanceof ServeError) return signal.reason;
  if (signal.reason instanceof Error && signal.reason.name === "TimeoutError") {
    return new ServeError("deadline_exceeded", "the deadline passed before the model was ready", {
      cause: signal.reason,
    });
  }
  return new ServeError("cancelled", "the request was cancelled", { cause: signal.reason });
}

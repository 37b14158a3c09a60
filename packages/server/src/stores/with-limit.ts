import type { Clock } from "../base/clock.ts";
import { mayPass } from "./store-error.ts";

/** Rejects when the signal fires. */
export function pause(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      cancel();
      reject(signal.reason);
    };
    const cancel = clock.after(delayMs, () => {
      signal.removeEventListener("abort", stop);
      resolve();
    });
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
  });
}

/** Work with a limit of time, whether or not it heeds its signal. Rejects with `unavailable` when the time is over. */
export async function withLimit<T>(
  work: (signal: AbortSignal) => Promise<T>,
  {
    clock,
    limitMs,
    signal,
  }: { readonly clock: Clock; readonly limitMs: number; readonly signal: AbortSignal },
): Promise<T> {
  const over = new AbortController();
  const limited = AbortSignal.any([signal, over.signal]);
  const cancel = clock.after(limitMs, () => over.abort(mayPass("it did not answer in time")));
  try {
    return await Promise.race([work(limited), rejection(limited)]);
  } catch (error) {
    throw over.signal.aborted ? over.signal.reason : error;
  } finally {
    cancel();
  }
}

function rejection(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    else signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}

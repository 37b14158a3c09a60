import type { Clock } from "../base/clock.ts";
import type { Worker } from "../worker/worker.ts";

/** A worker that had nothing to do for this long may be given something that no request should wait for. */
const IDLE_MS = 1000;

export interface WhenIdleOptions {
  readonly worker: Worker;
  readonly clock: Clock;
  act(): void;
}

/** Calls `act` once, when the worker was idle for a second; the returned function gives up on it. */
export function whenIdle({ worker, clock, act }: WhenIdleOptions): () => void {
  let cancel = (): void => {};
  const look = (finishedBefore: number): void => {
    cancel = clock.after(IDLE_MS, () => {
      const { finishedCalls, pendingCalls } = worker;
      if (pendingCalls === 0 && finishedCalls === finishedBefore) act();
      else look(finishedCalls);
    });
  };
  look(worker.finishedCalls);
  return () => cancel();
}

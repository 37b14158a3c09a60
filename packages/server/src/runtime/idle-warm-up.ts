import type { Clock } from "../base/clock.ts";
import type { Worker } from "../worker/worker.ts";

/** A worker that had nothing to do for this long may be given something that no request should wait for. */
const IDLE_MS = 1000;

export interface IdleWarmUpOptions {
  readonly worker: Worker;
  readonly clock: Clock;
  /** Asks the worker to do the rest of its warm-up. */
  warmUp(): void;
}

/** Calls `warmUp` once, when the worker was idle for a second; the returned function gives up on it. */
export function warmUpWhenIdle({ worker, clock, warmUp }: IdleWarmUpOptions): () => void {
  let cancel = (): void => {};
  const look = (finishedBefore: number): void => {
    cancel = clock.after(IDLE_MS, () => {
      const { finishedCalls, pendingCalls } = worker;
      if (pendingCalls === 0 && finishedCalls === finishedBefore) warmUp();
      else look(finishedCalls);
    });
  };
  look(worker.finishedCalls);
  return () => cancel();
}

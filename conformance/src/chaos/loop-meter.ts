import { openSync, readSync } from "node:fs";
import { monotonicMs } from "./monotonic.ts";

const BEAT_MS = 10;

/** How late the beats of an event loop were since the last look, one number per beat, in milliseconds. */
export interface LoopLateness {
  /** In real time. */
  readonly real: readonly number[];
  /** In processor time of the loop's thread: what it would be if nothing else used the core. */
  readonly own: readonly number[];
}

/**
 * Measures this process's event loop beside what the server says of it. On a machine that does other things as well, a loop is late whenever
 * its thread has to wait for a core; the thread's processor time tells how much of it the loop itself is to blame for.
 */
export function startLoopMeter(): { take(): LoopLateness } {
  // Open from the start: a procedure may use up all descriptors.
  const stat = openSync("/proc/self/schedstat", "r");
  let real: number[] = [];
  let own: number[] = [];
  let lastMs = monotonicMs();
  let lastOwnMs = threadMs(stat);
  setInterval(() => {
    const nowMs = monotonicMs();
    const nowOwnMs = threadMs(stat);
    note(real, nowMs - lastMs);
    note(own, nowOwnMs - lastOwnMs);
    lastMs = nowMs;
    lastOwnMs = nowOwnMs;
  }, BEAT_MS).unref();
  return {
    take() {
      const taken = { real, own };
      real = [];
      own = [];
      return taken;
    },
  };
}

/** A beat that came late swallowed others, which were late as well. */
function note(samples: number[], sinceMs: number): void {
  let lateMs = Math.max(0, sinceMs - BEAT_MS);
  do {
    samples.push(lateMs);
    lateMs -= BEAT_MS;
  } while (lateMs > 0);
}

const text = Buffer.alloc(128);

/** Processor time of the main thread. */
function threadMs(stat: number): number {
  const length = readSync(stat, text, 0, text.length, 0);
  return Number(text.toString("latin1", 0, length).split(" ", 1)[0]) / 1e6;
}

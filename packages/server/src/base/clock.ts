/** Time as an argument. All durations are monotonic milliseconds; never compare them with the wall clock. */
export interface Clock {
  /** Monotonic milliseconds with sub-millisecond resolution. */
  nowMs(): number;
  /** Calls `callback` once after `delayMs`; the returned function cancels it. Never keeps the process alive by itself. */
  after(delayMs: number, callback: () => void): () => void;
}

/** The longest delay that one timer of Node takes; it would call at once after a longer one. */
const LONGEST_MS = 2 ** 31 - 1;

/** A delay as Node's timers take one, for what has no clock. */
export function timerDelayMs(delayMs: number): number {
  return Math.min(Math.max(0, delayMs), LONGEST_MS);
}

/** The real clock: `performance.now()` and unref'd timers. */
export const systemClock: Clock = {
  nowMs: () => performance.now(),
  after(delayMs, callback) {
    if (delayMs > LONGEST_MS) return afterVeryLong(delayMs, callback);
    const timer = setTimeout(callback, delayMs);
    timer.unref();
    return () => clearTimeout(timer);
  },
};

function afterVeryLong(delayMs: number, callback: () => void): () => void {
  let cancel = systemClock.after(LONGEST_MS, () => {
    cancel = systemClock.after(delayMs - LONGEST_MS, callback);
  });
  return () => cancel();
}

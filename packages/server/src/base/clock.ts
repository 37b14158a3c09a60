/** Time as an argument. All durations are monotonic milliseconds; never compare them with the wall clock. */
export interface Clock {
  /** Monotonic milliseconds with sub-millisecond resolution. */
  nowMs(): number;
  /** Calls `callback` once after `delayMs`; the returned function cancels it. Never keeps the process alive by itself. */
  after(delayMs: number, callback: () => void): () => void;
}

/** The real clock: `performance.now()` and unref'd timers. */
export const systemClock: Clock = {
  nowMs: () => performance.now(),
  after(delayMs, callback) {
    const timer = setTimeout(callback, delayMs);
    timer.unref();
    return () => clearTimeout(timer);
  },
};

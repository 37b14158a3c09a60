import type { Clock } from "./clock.ts";
import { STALL_MS } from "./loop-metrics.ts";
import { PULSE_MS } from "./pulse.ts";

/** A clock that somebody must look at often. */
export interface ActiveTimeClock extends Clock {
  /** Keeps the time going; to be called at every beat of the pulse. */
  look(): void;
}

/**
 * Time as this process lived it: while it was stopped (SIGSTOP, a paused container, a laptop's lid) or its loop stood still, this clock did,
 * too. For judging others by their silence: what they sent meanwhile is still unread, and they may have been stopped along with this
 * process. Not for deadlines, which clients count in real time.
 */
export function createActiveTimeClock(clock: Clock): ActiveTimeClock {
  let lastMs = clock.nowMs();
  let asleepMs = 0;
  const nowMs = (): number => {
    const realMs = clock.nowMs();
    const gapMs = realMs - lastMs;
    if (gapMs > STALL_MS) asleepMs += gapMs - PULSE_MS;
    lastMs = realMs;
    return realMs - asleepMs;
  };
  return {
    nowMs,
    look: nowMs,
    after(delayMs, callback) {
      const dueMs = nowMs() + delayMs;
      let cancel = (): void => {};
      const wait = (leftMs: number): void => {
        cancel = clock.after(leftMs, () => {
          const leftNowMs = dueMs - nowMs();
          if (leftNowMs > 0) wait(leftNowMs);
          else callback();
        });
      };
      wait(delayMs);
      return () => cancel();
    },
  };
}

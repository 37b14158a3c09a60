import type { Clock } from "./clock.ts";

/** The beat is short against what is worth knowing (tens of milliseconds) and costs microseconds. */
export const PULSE_MS = 10;

/**
 * Beats every ten milliseconds for as long as this process's event loop turns, and says how late each beat is: that long, whatever wanted
 * something of the loop had to wait. The returned function ends it.
 */
export function startPulse(clock: Clock, onBeat: (lateMs: number) => void): () => void {
  let dueMs = 0;
  let cancel = (): void => {};
  const next = (nowMs: number): void => {
    dueMs = nowMs + PULSE_MS;
    cancel = clock.after(PULSE_MS, beat);
  };
  const beat = (): void => {
    const nowMs = clock.nowMs();
    const lateMs = Math.max(0, nowMs - dueMs);
    next(nowMs);
    onBeat(lateMs);
  };
  next(clock.nowMs());
  return () => cancel();
}

import { type ActiveTimeClock, createActiveTimeClock } from "../base/active-time-clock.ts";
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import { createLoopMetrics } from "../base/loop-metrics.ts";
import type { Metrics } from "../base/metrics.ts";
import { startPulse } from "../base/pulse.ts";

/** The process's event loop, with a finger on its pulse. */
export interface EventLoop {
  /** Time without what the loop slept through. */
  readonly activeClock: ActiveTimeClock;
  /** Called at every beat. */
  onBeat(callback: () => void): void;
  /** Ends the beats. */
  stop(): void;
}

/** Starts to measure how late the event loop is, and to report when it stood still. */
export function watchEventLoop(parts: {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
}): EventLoop {
  const activeClock = createActiveTimeClock(parts.clock);
  const measure = createLoopMetrics(parts.metrics, parts.logger);
  const callbacks: (() => void)[] = [];
  const stop = startPulse(parts.clock, (lateMs) => {
    activeClock.look();
    for (const callback of callbacks) callback();
    measure(lateMs);
  });
  return { activeClock, onBeat: (callback) => callbacks.push(callback), stop };
}

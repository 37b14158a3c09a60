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
  /** From the beat after the next one on lateness is reported: nobody waits for a server that is starting. */
  begin(): void;
  /** Called at every beat. */
  onBeat(callback: () => void): void;
  /** Ends the beats. */
  stop(): void;
}

/** Starts to watch how late the event loop is; from `begin` on measures it, and reports when it stood still. */
export function watchEventLoop(parts: {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
}): EventLoop {
  const activeClock = createActiveTimeClock(parts.clock);
  const measure = createLoopMetrics(parts.metrics, parts.logger);
  const callbacks: (() => void)[] = [];
  let phase: "starting" | "begun" | "running" = "starting";
  const stop = startPulse(parts.clock, (lateMs) => {
    activeClock.look();
    for (const callback of callbacks) callback();
    if (phase === "running") measure(lateMs);
    // This beat may be late by what the start did.
    else if (phase === "begun") phase = "running";
  });
  return {
    activeClock,
    begin() {
      phase = "begun";
    },
    onBeat: (callback) => callbacks.push(callback),
    stop,
  };
}

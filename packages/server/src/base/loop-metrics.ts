import type { Logger } from "./logger.ts";
import type { Metrics } from "./metrics.ts";
import { PULSE_MS } from "./pulse.ts";

/** Upper bounds in seconds. */
const DELAY_BUCKETS: readonly number[] = [
  0.001, 0.0025, 0.005, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
];

/** A loop that was away for longer than this stood still. */
export const STALL_MS = 500;

/** After a very long stall, not every beat that it swallowed is counted. */
const MOST_SWALLOWED = 1_000;

/**
 * What the beats of the event loop say: `sconce_event_loop_delay_seconds`, how long an event waits for the loop, and
 * `sconce_event_loop_stalls_total`, each of which is a line in the log, too. The beats that a delay swallowed count as delayed by what was
 * left of it, as events at those times were; one long stall would otherwise be one sample among thousands.
 */
export function createLoopMetrics(metrics: Metrics, logger: Logger): (lateMs: number) => void {
  const delays = metrics.histogram(
    "sconce_event_loop_delay_seconds",
    "How long events wait until the event loop takes them.",
    { buckets: DELAY_BUCKETS },
  );
  const stalls = metrics.counter(
    "sconce_event_loop_stalls_total",
    `Times that the event loop stood still for more than ${STALL_MS} ms.`,
  );
  return (lateMs) => {
    let left = lateMs;
    for (let i = 0; i < MOST_SWALLOWED && (i === 0 || left > 0); i++) {
      delays.observe(left / 1000);
      left -= PULSE_MS;
    }
    if (lateMs <= STALL_MS) return;
    stalls.add(1);
    logger.warn({ stalledMs: Math.round(lateMs) }, "the event loop stood still");
  };
}

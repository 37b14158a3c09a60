import { LATENCY_BUCKETS } from "../../base/latency-buckets.ts";
import type { Metrics } from "../../base/metrics.ts";

/** `closed`: it is used. `open`: it is left alone for a while. `half_open`: one question finds out whether it is of use again. */
export type BreakerState = "closed" | "open" | "half_open";
export type StoreFailure = "timeout" | "lost" | "refused" | "write_refused" | "busy" | "probe";

/** What a cache store is seen to do. */
export interface StoreMetrics {
  state(now: BreakerState): void;
  failed(reason: StoreFailure): void;
  /** So long a look-up took, whether or not it was answered. */
  waited(ms: number): void;
}

const STATES: readonly BreakerState[] = ["closed", "half_open", "open"];
const FAILURES: readonly StoreFailure[] = ["timeout", "lost", "refused", "write_refused", "busy", "probe"];

export function createStoreMetrics(metrics: Metrics): StoreMetrics {
  const states = STATES.map((state) => ({
    state,
    gauge: metrics.gauge(
      "sconce_cache_store_state",
      "Circuit breaker of the cache store: 1 at the state that it has.",
      { state },
    ),
  }));
  const failures = new Map(
    FAILURES.map((reason) => [
      reason,
      metrics.counter("sconce_cache_store_failures_total", "What the cache store did not do, by reason.", {
        reason,
      }),
    ]),
  );
  const seconds = metrics.histogram(
    "sconce_cache_store_seconds",
    "How long requests waited for the cache store, whether or not it answered.",
    { buckets: LATENCY_BUCKETS },
  );
  return {
    state(now) {
      for (const { state, gauge } of states) gauge.set(state === now ? 1 : 0);
    },
    failed: (reason) => failures.get(reason)?.add(1),
    waited: (ms) => seconds.observe(ms / 1000),
  };
}

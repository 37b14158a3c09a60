import { LATENCY_BUCKETS } from "../base/latency-buckets.ts";
import type { Counter, Histogram, Metrics } from "../base/metrics.ts";
import type { QueueObserver } from "../queue/queue-observer.ts";

/** Rows per run. */
const BATCH_BUCKETS: readonly number[] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024];
/** Upper bounds in seconds: 50 µs to 30 s. */
const WAIT_BUCKETS: readonly number[] = [...LATENCY_BUCKETS, 30];
const MS_PER_S = 1000;

/** Prometheus series of one model version's queue: batch sizes, runs, waiting times, rejections and re-runs by reason. */
export function createQueueMetrics(
  metrics: Metrics,
  labels: { model: string; version: string },
): QueueObserver {
  /** A counter per value of one more label, bound when the value first comes. */
  const counters = (name: string, help: string, label: string): ((value: string) => Counter) => {
    const bound = new Map<string, Counter>();
    return (value) => {
      let counter = bound.get(value);
      if (counter === undefined) {
        counter = metrics.counter(name, help, { ...labels, [label]: value });
        bound.set(value, counter);
      }
      return counter;
    };
  };
  const histogram = (name: string, help: string, buckets: readonly number[]): Histogram =>
    metrics.histogram(name, help, { labels, buckets });
  const batchRows = histogram("sconce_batch_rows", "Rows that shared a run.", BATCH_BUCKETS);
  const waited = histogram(
    "sconce_queue_wait_seconds",
    "Time from the queue's door to an instance.",
    WAIT_BUCKETS,
  );
  const failures = counters(
    "sconce_failures_total",
    "Requests that failed after they were run, by reason.",
    "reason",
  );
  const rejections = counters(
    "sconce_rejections_total",
    "Requests that ended without a run, by reason.",
    "reason",
  );
  const reruns = counters(
    "sconce_reruns_total",
    "Requests that were run again after a failure beside or under them.",
    "kind",
  );
  const positions = (kind: "content" | "padding"): Counter =>
    metrics.counter(
      "sconce_padded_positions_total",
      "Of models whose inputs are padded: what requests fill of the padded dimension, and what padding does.",
      { ...labels, kind },
    );
  let padded: { readonly content: Counter; readonly padding: Counter } | undefined;
  const rows = metrics.counter("sconce_rows_total", "Rows that were answered.", labels);
  return {
    runFinished(report) {
      batchRows.observe(report.rows);
      if (report.padding === undefined) return;
      padded ??= { content: positions("content"), padding: positions("padding") };
      padded.content.add(report.padding.content);
      padded.padding.add(report.padding.padding);
    },
    requestAnswered(timeline, requestRows) {
      rows.add(requestRows);
      waited.observe((timeline.dispatchedMs - timeline.enqueuedMs) / MS_PER_S);
    },
    requestFailed: (reason) => failures(reason).add(1),
    requestRejected: (reason) => rejections(reason).add(1),
    requestsRetried: (kind, requests) => reruns(kind).add(requests),
  };
}

/** `sconce_worker_restarts_total`: instances whose worker had ended, or was ended, and that got another one. */
export function countRestarts(
  metrics: Metrics,
  labels: { readonly model: string; readonly version: string },
): () => void {
  const counter = metrics.counter(
    "sconce_worker_restarts_total",
    "Instances that lost their worker and got another one.",
    labels,
  );
  return () => counter.add(1);
}

import type { CollectedFamily } from "../base/metrics.ts";
import type { VersionStatus } from "./managed-registry.ts";
import type { ModelStatistics } from "./model-statistics.ts";

type Read = (model: ModelStatistics) => number;

const microseconds = ({ ns }: { readonly ns: bigint }): number => Number(ns / 1000n);

/** Triton's names of what the statistics of a version count, without their prefix. */
const COUNTERS: readonly (readonly [name: string, help: string, read: Read])[] = [
  [
    "inference_request_success",
    "Number of successful inference requests, all batch sizes",
    (m) => m.success.count,
  ],
  [
    "inference_count",
    "Number of inferences performed (does not include cached requests)",
    (m) => m.inferenceCount,
  ],
  [
    "inference_exec_count",
    "Number of model executions performed (does not include cached requests)",
    (m) => m.executionCount,
  ],
  [
    "inference_request_duration_us",
    "Cumulative inference request duration in microseconds (includes cached requests)",
    (m) => microseconds(m.success),
  ],
  [
    "inference_queue_duration_us",
    "Cumulative inference queuing duration in microseconds (includes cached requests)",
    (m) => microseconds(m.queue),
  ],
  [
    "inference_compute_input_duration_us",
    "Cumulative compute input duration in microseconds (does not include cached requests)",
    (m) => microseconds(m.computeInput),
  ],
  [
    "inference_compute_infer_duration_us",
    "Cumulative compute inference duration in microseconds (does not include cached requests)",
    (m) => microseconds(m.computeInfer),
  ],
  [
    "inference_compute_output_duration_us",
    "Cumulative inference compute output duration in microseconds (does not include cached requests)",
    (m) => microseconds(m.computeOutput),
  ],
  ["cache_num_hits_per_model", "Number of cache hits per model", (m) => m.cacheHit.count],
  ["cache_num_misses_per_model", "Number of cache misses per model", (m) => m.cacheMiss.count],
  [
    "cache_hit_duration_per_model",
    "Total cache hit duration per model, in microseconds",
    (m) => microseconds(m.cacheHit),
  ],
  [
    "cache_miss_duration_per_model",
    "Total cache miss duration per model, in microseconds",
    (m) => microseconds(m.cacheMiss),
  ],
];

const FAILURES: readonly (readonly [reason: string, read: Read])[] = [
  ["REJECTED", (m) => m.failures.rejected],
  ["CANCELED", (m) => m.failures.cancelled],
  ["BACKEND", (m) => m.failures.backend],
  ["OTHER", () => 0],
];

/**
 * The statistics of every version in memory under the names that Triton's dashboards read. Its names break Prometheus' rules (counters
 * without `_total`, microseconds), so nobody gets them who did not ask.
 */
export async function readTritonMetrics(
  versions: readonly VersionStatus[],
): Promise<readonly CollectedFamily[]> {
  const loaded = await Promise.all(
    versions.flatMap(({ name: model, version, handle }) =>
      handle === undefined ? [] : [rowOf({ model, version }, handle)],
    ),
  );
  const counters = COUNTERS.map(([name, help, read]): CollectedFamily => {
    const values = loaded.map(({ labels, statistics }) => ({ labels, value: read(statistics) }));
    return { name: `nv_${name}`, help, kind: "counter", values };
  });
  return [
    ...counters,
    {
      name: "nv_inference_request_failure",
      help: "Number of failed inference requests, all batch sizes",
      kind: "counter",
      values: loaded.flatMap(({ labels, statistics }) =>
        FAILURES.map(([reason, read]) => ({ labels: { ...labels, reason }, value: read(statistics) })),
      ),
    },
    {
      name: "nv_inference_pending_request_count",
      help: "Instantaneous number of pending requests awaiting execution per-model",
      kind: "gauge",
      values: loaded.map(({ labels, waiting }) => ({ labels, value: waiting })),
    },
  ];
}

interface Row {
  readonly labels: { readonly model: string; readonly version: string };
  readonly statistics: ModelStatistics;
  readonly waiting: number;
}

async function rowOf(labels: Row["labels"], handle: NonNullable<VersionStatus["handle"]>): Promise<Row> {
  const { waitingRequests: waiting } = await handle.gauges();
  return { labels, statistics: handle.statistics(), waiting };
}

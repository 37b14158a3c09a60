import type { CollectedFamily } from "../base/metrics.ts";
import type { VersionStatus } from "./managed-registry.ts";
import type { ModelStatistics } from "./model-statistics.ts";

const microseconds = ({ ns }: { readonly ns: bigint }): number => Number(ns / 1000n);

const COUNTERS: readonly (readonly [name: string, unit: string, read: (model: ModelStatistics) => number])[] =
  [
    ["ts_inference_requests_total", "Count", ({ success, fail }) => success.count + fail.count],
    ["ts_inference_latency_microseconds", "Microseconds", ({ success }) => microseconds(success)],
    ["ts_queue_latency_microseconds", "Microseconds", ({ queue }) => microseconds(queue)],
  ];

/**
 * The statistics of every version in memory under the names, labels and help of TorchServe's three counters of inference, as its
 * `metrics_mode=prometheus` shows them.
 */
export function readTorchserveMetrics(
  versions: readonly VersionStatus[],
  hostname: string,
): readonly CollectedFamily[] {
  const loaded = versions.flatMap(({ name, version, handle }) => {
    const labels = { model_name: name, model_version: `${version}.0`, hostname };
    return handle === undefined ? [] : [{ labels, statistics: handle.statistics() }];
  });
  return COUNTERS.map(([name, unit, read]) => ({
    name,
    help: `Torchserve prometheus counter metric with unit: ${unit}`,
    kind: "counter",
    values: loaded.map(({ labels, statistics }) => ({ labels, value: read(statistics) })),
  }));
}

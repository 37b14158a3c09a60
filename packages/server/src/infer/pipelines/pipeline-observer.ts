import type { ServeError } from "../../base/errors.ts";
import { LATENCY_BUCKETS } from "../../base/latency-buckets.ts";
import type { Histogram, Metrics } from "../../base/metrics.ts";
import { REJECT_REASONS, type RejectReason } from "../../base/reject-reasons.ts";
import { StatisticsCounters } from "../../models/model-statistics.ts";
import { createQueueMetrics } from "../../models/queue-metrics.ts";
import type { PipelineObserver } from "./pipeline-model.ts";

export interface PipelineObserverOptions {
  readonly metrics: Metrics;
  readonly model: string;
  readonly version: string;
  /** Milliseconds since 1970. */
  readonly wallNowMs: () => number;
}

const MS_PER_S = 1000;

/** Counts a pipeline's requests as those of any model are counted, and how long each of its steps takes. */
export function createPipelineObserver(options: PipelineObserverOptions): PipelineObserver {
  const { metrics, model, version } = options;
  const counters = new StatisticsCounters(options.wallNowMs);
  const queue = createQueueMetrics(metrics, { model, version });
  const steps = new Map<string, Histogram>();
  const stepOf = (step: string): Histogram => {
    const known = steps.get(step);
    if (known !== undefined) return known;
    const made = metrics.histogram(
      "sconce_pipeline_step_seconds",
      "Time of a pipeline's step, from when its tensors were there to its outputs.",
      { labels: { model, version, step }, buckets: LATENCY_BUCKETS },
    );
    steps.set(step, made);
    return made;
  };
  return {
    answered(timeline, rows) {
      const { dispatchedMs, answeredMs, computeMs } = timeline;
      counters.runFinished({ rows, requests: 1, dispatchedMs, answeredMs, computeMs });
      counters.requestAnswered(timeline, rows);
      queue.requestAnswered(timeline, rows);
      for (const { name, totalMs } of timeline.steps ?? []) stepOf(name).observe(totalMs / MS_PER_S);
    },
    failed(error, waitedMs) {
      const reason = rejectReason(error);
      if (reason === undefined) {
        counters.requestFailed(error.reason, waitedMs);
        queue.requestFailed(error.reason, waitedMs);
      } else {
        counters.requestRejected(reason, waitedMs);
        queue.requestRejected(reason, waitedMs);
      }
    },
    read: (of) => counters.read(of),
  };
}

/** Of a rejection by some step's queue; undefined: it is none. */
function rejectReason({ reason }: ServeError): RejectReason | undefined {
  return REJECTIONS.has(reason) ? (reason as RejectReason) : undefined; // one of the set
}

const REJECTIONS: ReadonlySet<string> = new Set(REJECT_REASONS);

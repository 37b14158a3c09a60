import type { Counter, Histogram, Metrics } from "../base/metrics.ts";
import { STAGES, stageMs, type Timeline } from "../base/timeline.ts";

/** Counts requests and times their stages for one protocol. */
export interface RequestMetrics {
  /** Once per request of a known model; `code` is `ok` or an error code. Stages not reached are left out. */
  record(model: string, code: string, timeline: Timeline): void;
  /** Once per request that never got to a model. */
  recordRefused(code: string): void;
}

/** From 50 µs to 10 s: the span between a cached answer of a small model and the execution limit. */
const STAGE_BUCKETS = [
  0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];
/** Models past this number share one label, so that names cannot fill the memory. */
const MAX_MODELS = 1000;
const OTHER_MODEL = "_other";
const NO_MODEL = "_none";

interface ModelHandles {
  readonly stages: readonly Histogram[];
  readonly total: Histogram;
  readonly codes: Map<string, Counter>;
}

/** Binds handles per model when its first request ends; after that a request costs lookups only. */
export function createRequestMetrics(metrics: Metrics, protocol: string): RequestMetrics {
  const models = new Map<string, ModelHandles>();

  const handlesOf = (model: string): ModelHandles => {
    const known = models.get(model);
    if (known !== undefined) return known;
    const name = models.size < MAX_MODELS ? model : OTHER_MODEL;
    const handles = models.get(name) ?? bind(metrics, protocol, name);
    if (!models.has(name)) models.set(name, handles);
    return handles;
  };

  const count = (model: string, handles: ModelHandles, code: string): void => {
    let counter = handles.codes.get(code);
    if (counter === undefined) {
      counter = metrics.counter("sconce_requests_total", "Requests answered, by model and code.", {
        protocol,
        model,
        code,
      });
      handles.codes.set(code, counter);
    }
    counter.add(1);
  };

  return {
    record(model, code, timeline) {
      const handles = handlesOf(model);
      count(models.get(model) === handles ? model : OTHER_MODEL, handles, code);
      for (let i = 0; i < STAGES.length; i++) {
        const ms = stageMs(timeline, STAGES[i]!);
        // NaN: the request did not get that far.
        if (ms >= 0) handles.stages[i]!.observe(ms / 1000);
      }
      const total = timeline.encodedMs - timeline.receivedMs;
      if (total >= 0) handles.total.observe(total / 1000);
    },
    recordRefused(code) {
      const handles = models.get(NO_MODEL) ?? {
        stages: [],
        total: NO_HISTOGRAM,
        codes: new Map<string, Counter>(),
      };
      models.set(NO_MODEL, handles);
      count(NO_MODEL, handles, code);
    },
  };
}

const NO_HISTOGRAM: Histogram = { observe: () => {} };

function bind(metrics: Metrics, protocol: string, model: string): ModelHandles {
  return {
    stages: STAGES.map((stage) =>
      metrics.histogram("sconce_stage_seconds", "Time that inference requests spent in each stage.", {
        labels: { protocol, model, stage },
        buckets: STAGE_BUCKETS,
      }),
    ),
    total: metrics.histogram(
      "sconce_request_seconds",
      "Time from a request's headers to its encoded answer.",
      {
        labels: { protocol, model },
        buckets: STAGE_BUCKETS,
      },
    ),
    codes: new Map(),
  };
}

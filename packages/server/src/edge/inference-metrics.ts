import type { ErrorCode } from "../base/errors.ts";
import type { Counter, Histogram, Metrics } from "../base/metrics.ts";
import { STAGES, stageMs, type Timeline } from "../base/timeline.ts";

export type Protocol = "rest" | "grpc";

/** One finished inference, as an edge saw it. */
export interface InferenceOutcome {
  readonly protocol: Protocol;
  /** The model and version that answered; undefined when the request failed. */
  readonly answeredBy: { readonly model: string; readonly version: string } | undefined;
  /** The model that the request named. */
  readonly asked: string;
  readonly code: ErrorCode | "ok";
  readonly timeline: Timeline;
}

/** Counts inferences and their stages; both edges report to the same one. */
export interface InferenceObserver {
  observe(outcome: InferenceOutcome): void;
}

/** Upper bounds in seconds: 50 µs to 10 s. */
const STAGE_BUCKETS: readonly number[] = [
  0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];

/** Stands for every name that no model of this server has answered to, so that clients cannot make label values. */
const UNKNOWN = "unknown";

/**
 * Makes the observer: `sconce_inference_stage_seconds{model,version,stage}` and
 * `sconce_inferences_total{model,protocol,code}`. Metric handles are bound the first time a model answers.
 */
export function createInferenceObserver(metrics: Metrics): InferenceObserver {
  const stages = new Map<string, readonly Histogram[]>();
  const counters = new Map<string, Counter>();
  const known = new Set<string>();

  function stagesOf(model: string, version: string): readonly Histogram[] {
    const key = `${model}\n${version}`;
    let histograms = stages.get(key);
    if (histograms === undefined) {
      histograms = STAGES.map((stage) =>
        metrics.histogram("sconce_inference_stage_seconds", "Time of an inference in each of its stages.", {
          labels: { model, version, stage },
          buckets: STAGE_BUCKETS,
        }),
      );
      stages.set(key, histograms);
      known.add(model);
    }
    return histograms;
  }

  function counterOf(model: string, protocol: Protocol, code: string): Counter {
    const key = `${model}\n${protocol}\n${code}`;
    let counter = counters.get(key);
    if (counter === undefined) {
      counter = metrics.counter("sconce_inferences_total", "Inferences by how they ended.", {
        model,
        protocol,
        code,
      });
      counters.set(key, counter);
    }
    return counter;
  }

  return {
    observe({ protocol, answeredBy, asked, code, timeline }) {
      if (answeredBy !== undefined) {
        const histograms = stagesOf(answeredBy.model, answeredBy.version);
        for (let i = 0; i < STAGES.length; i++) {
          const ms = stageMs(timeline, STAGES[i]!);
          if (ms >= 0) histograms[i]!.observe(ms / 1000);
        }
      }
      const model = answeredBy?.model ?? (known.has(asked) ? asked : UNKNOWN);
      counterOf(model, protocol, code).add(1);
    },
  };
}

/** The `Server-Timing` header (W3C) of an inference: every stage it reached, in milliseconds, and their total. */
export function serverTiming(timeline: Timeline): string {
  let header = "";
  let total = 0;
  for (let i = 0; i < STAGES.length; i++) {
    const ms = stageMs(timeline, STAGES[i]!);
    if (!(ms >= 0)) continue;
    total += ms;
    header += `${STAGES[i]};dur=${ms.toFixed(3)}, `;
  }
  return `${header}total;dur=${total.toFixed(3)}`;
}

import type { ErrorCode } from "../base/errors.ts";
import { LATENCY_BUCKETS } from "../base/latency-buckets.ts";
import type { Counter, Histogram, Metrics } from "../base/metrics.ts";
import type { RequestTrace } from "../base/timeline.ts";
import { type StepTimes, stageMs, TASK_STAGES, type TaskStage, type Timeline } from "../base/timeline.ts";

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
  /** What went wrong; undefined: nothing. */
  readonly failure?: { readonly reason: string; readonly message: string } | undefined;
  /** Of HTTP. */
  readonly httpStatus?: number | undefined;
}

/** Counts inferences and their stages; both edges report to the same one. */
export interface InferenceObserver {
  observe(outcome: InferenceOutcome): void;
  /** A version is gone for good: its handles are let go, and with a model's last version all of the model's. */
  forget(model: string, version: string): void;
}

/** Stands for every name that is no model of this server, so that clients cannot make label values. */
export const UNKNOWN_MODEL = "unknown";

interface ModelHandles {
  /** By version, in the order of TASK_STAGES; the last one is of all stages together. */
  readonly stages: Map<string, (Histogram | undefined)[]>;
  /** By code. */
  readonly counters: Readonly<Record<Protocol, Map<string, Counter>>>;
}

/**
 * Makes the observer: `sconce_inference_stage_seconds{model,version,stage}`, `sconce_inference_seconds{model,version}` and
 * `sconce_inferences_total{model,protocol,code}`. Metric handles are bound the first time they are needed. `isKnown`: whether a model
 * lies in the repository, ready or not; failures of others are not counted by name.
 */
export function createInferenceObserver(
  metrics: Metrics,
  isKnown: (model: string) => boolean,
): InferenceObserver {
  const models = new Map<string, ModelHandles>();
  const unknown = newHandles();

  function handlesOf(model: string): ModelHandles {
    let handles = models.get(model);
    if (handles === undefined) {
      handles = newHandles();
      models.set(model, handles);
    }
    return handles;
  }

  function bindStage(
    stage: TaskStage,
    labels: { readonly model: string; readonly version: string },
  ): Histogram {
    return metrics.histogram(
      "sconce_inference_stage_seconds",
      "Time of an inference in each of its stages.",
      { labels: { ...labels, stage }, buckets: LATENCY_BUCKETS },
    );
  }

  function bindTotal(labels: { readonly model: string; readonly version: string }): Histogram {
    return metrics.histogram("sconce_inference_seconds", "Time of an inference in all stages together.", {
      labels,
      buckets: LATENCY_BUCKETS,
    });
  }

  function count(handles: ModelHandles, model: string, { protocol, code }: InferenceOutcome): void {
    const counters = handles.counters[protocol];
    let counter = counters.get(code);
    if (counter === undefined) {
      counter = metrics.counter("sconce_inferences_total", "Inferences by how they ended.", {
        model,
        protocol,
        code,
      });
      counters.set(code, counter);
    }
    counter.add(1);
  }

  return {
    observe(outcome) {
      const { answeredBy, asked, timeline } = outcome;
      if (timeline.trace !== undefined) endTrace(timeline.trace, outcome);
      if (answeredBy === undefined) {
        if (models.has(asked) || isKnown(asked)) count(handlesOf(asked), asked, outcome);
        else count(unknown, UNKNOWN_MODEL, outcome);
        return;
      }
      const { model, version } = answeredBy;
      const handles = handlesOf(model);
      const traceId = timeline.trace?.isSampled === true ? timeline.trace.traceId : undefined;
      let stages = handles.stages.get(version);
      if (stages === undefined) {
        stages = [];
        handles.stages.set(version, stages);
      }
      let totalMs = 0;
      for (let i = 0; i < TASK_STAGES.length; i++) {
        const ms = stageMs(timeline, TASK_STAGES[i]!);
        // NaN: the request did not go through this stage.
        if (!(ms >= 0)) continue;
        const stage = stages[i] ?? bindStage(TASK_STAGES[i]!, { model, version });
        stages[i] = stage;
        stage.observe(ms / 1000);
        if (traceId !== undefined) stage.exemplify(ms / 1000, traceId);
        totalMs += ms;
      }
      const total = stages[TASK_STAGES.length] ?? bindTotal({ model, version });
      stages[TASK_STAGES.length] = total;
      total.observe(totalMs / 1000);
      if (traceId !== undefined) total.exemplify(totalMs / 1000, traceId);
      count(handles, model, outcome);
    },
    forget(model, version) {
      if (isKnown(model)) models.get(model)?.stages.delete(version);
      else models.delete(model);
    },
  };
}

function endTrace(trace: RequestTrace, outcome: InferenceOutcome): void {
  const { answeredBy, asked, code, failure, httpStatus, timeline } = outcome;
  const model = answeredBy?.model ?? asked;
  trace.ended({ model, version: answeredBy?.version, code, failure, httpStatus, timeline });
}

function newHandles(): ModelHandles {
  return { stages: new Map(), counters: { rest: new Map(), grpc: new Map() } };
}

/** The `Server-Timing` header (W3C) of an inference: every stage it reached, in milliseconds, and their total; of a pipeline its steps, too. */
export function serverTiming(timeline: Timeline): string {
  let at = 0;
  let total = 0;
  for (let i = 0; i < TASK_STAGES.length; i++) {
    const ms = stageMs(timeline, TASK_STAGES[i]!);
    if (!(ms >= 0)) continue;
    total += ms;
    at = writeDuration(at, STAGE_HEADS[i]!, ms);
    TIMING_TEXT[at++] = COMMA;
    TIMING_TEXT[at++] = SPACE;
  }
  at = writeDuration(at, TOTAL_HEAD, total);
  const text = TIMING_TEXT.toString("latin1", 0, at);
  return timeline.steps === undefined ? text : `${text}${stepTiming(timeline.steps)}`;
}

/** How long each step of a pipeline took, by its name, which is a token. */
function stepTiming(steps: readonly StepTimes[]): string {
  return steps.map(({ name, totalMs }) => `, step-${name};dur=${Math.max(0, totalMs).toFixed(3)}`).join("");
}

const STAGE_HEADS: readonly Buffer[] = TASK_STAGES.map((stage) => Buffer.from(`${stage};dur=`));
const TOTAL_HEAD = Buffer.from("total;dur=");
/** Written and read in one go. The longest duration has 22 digits, twenty million years. */
const TIMING_TEXT: Buffer = Buffer.alloc(512);
const ZERO = 0x30;
const COMMA = 0x2c;
const SPACE = 0x20;

/** A stage's name and its time with three decimals; there are eight of these in every response, and strings would cost ten times as much. */
function writeDuration(start: number, head: Buffer, ms: number): number {
  const out = TIMING_TEXT;
  out.set(head, start);
  const at = start + head.length;
  const micros = Math.round(ms * 1000);
  const whole = Math.floor(micros / 1000);
  let rest = micros - whole * 1000;
  let digits = 1;
  for (let left = whole; left >= 10; left = Math.floor(left / 10)) digits++;
  let left = whole;
  for (let i = at + digits - 1; i >= at; i--) {
    const next = Math.floor(left / 10);
    out[i] = ZERO + (left - next * 10);
    left = next;
  }
  const point = at + digits;
  out[point] = 0x2e;
  for (let i = point + 3; i > point; i--) {
    const next = (rest / 10) | 0;
    out[i] = ZERO + (rest - next * 10);
    rest = next;
  }
  return point + 4;
}

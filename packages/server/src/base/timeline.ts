import type { ErrorCode } from "./errors.ts";
import type { RunPlace, SpanPlace } from "./span-place.ts";

/** The stages of an inference, in order. */
export const STAGES = ["receive", "decode", "queue", "batch", "transfer", "compute", "encode"] as const;
export type Stage = (typeof STAGES)[number];

/** The same with the two around a task's model. Every duration that Sconce shows is one of these. */
export const TASK_STAGES = [
  "receive",
  "preprocess",
  "decode",
  "queue",
  "batch",
  "transfer",
  "compute",
  "postprocess",
  "encode",
] as const;
export type TaskStage = (typeof TASK_STAGES)[number];

/** What one step of a pipeline took, in milliseconds. */
export interface StepTimes {
  readonly name: string;
  /** From when its tensors were there to its outputs. */
  readonly totalMs: number;
  readonly computeMs: number;
  /** When its outputs were there. */
  readonly endedMs: number;
}

/** How an inference ended, for its trace. */
export interface TracedEnd {
  readonly model: string;
  /** Undefined: it failed. */
  readonly version: string | undefined;
  readonly code: ErrorCode | "ok";
  readonly failure: { readonly reason: string; readonly message: string } | undefined;
  /** Of HTTP; undefined over gRPC. */
  readonly httpStatus: number | undefined;
  readonly timeline: Timeline;
}

/** The trace of one request, which travels with its timeline. */
export interface RequestTrace extends SpanPlace {
  /** False: nothing is recorded; the ids are for the log. */
  readonly isSampled: boolean;
  /** It was part of a run. Must not throw. */
  ran(run: RunPlace, ownRows: number): void;
  /** Called once. Must not throw, nor keep the timeline itself. */
  ended(end: TracedEnd): void;
}

/**
 * The stamps of one request: monotonic milliseconds from one clock, written once each on the way through. Stage durations
 * are differences between them, so header, histogram and trace always agree.
 */
export class Timeline {
  /** The request line and headers are here. */
  receivedMs: number;
  /** The body is complete. */
  bodyMs: number = Number.NaN;
  /** Of a task: the body has become tensors. NaN for every other request. */
  preparedMs: number = Number.NaN;
  /** Decoded, checked, and handed to the queue. */
  enqueuedMs: number = Number.NaN;
  /** An instance was free to take it. */
  claimedMs: number = Number.NaN;
  /** Its batch was handed to the worker. */
  dispatchedMs: number = Number.NaN;
  /** The batch's answer is back in this process. */
  answeredMs: number = Number.NaN;
  /** Of a task: the model's outputs have become its answer. NaN for every other request. */
  finishedMs: number = Number.NaN;
  /** The answer is encoded for the wire. */
  encodedMs: number = Number.NaN;
  /** Time in the model as the worker measured it (a duration, not a stamp). */
  computeMs: number = Number.NaN;
  /** Of a pipeline: its steps in the order in which they ended. */
  steps: readonly StepTimes[] | undefined = undefined;
  /** Undefined: it is not traced. */
  trace: RequestTrace | undefined = undefined;

  constructor(receivedMs: number) {
    this.receivedMs = receivedMs;
  }
}

/** How long `stage` took in milliseconds, or NaN when the request did not get that far. */
export function stageMs(timeline: Timeline, stage: TaskStage): number {
  switch (stage) {
    case "receive":
      return timeline.bodyMs - timeline.receivedMs;
    case "preprocess":
      return timeline.preparedMs - timeline.bodyMs;
    case "decode":
      return timeline.enqueuedMs - lastOf(timeline.bodyMs, timeline.preparedMs);
    case "queue":
      return Math.max(0, timeline.claimedMs - timeline.enqueuedMs);
    case "batch":
      return timeline.dispatchedMs - Math.max(timeline.claimedMs, timeline.enqueuedMs);
    case "transfer":
      return Math.max(0, timeline.answeredMs - timeline.dispatchedMs - timeline.computeMs);
    case "compute":
      return timeline.computeMs;
    case "postprocess":
      return timeline.finishedMs - timeline.answeredMs;
    case "encode":
      return timeline.encodedMs - lastOf(timeline.answeredMs, timeline.finishedMs);
  }
}

/** The second stamp where it was written. */
function lastOf(first: number, second: number): number {
  return Number.isNaN(second) ? first : second;
}

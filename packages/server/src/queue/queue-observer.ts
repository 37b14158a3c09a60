import type { RejectReason } from "../base/reject-reasons.ts";
import type { Timeline } from "../base/timeline.ts";

/** Why requests are run again: the batch failed, the worker died under it, or died before it began. */
export type RetryKind = "bisect" | "died" | "waiting";

/** One run that gave a result. Durations in milliseconds. */
export interface RunReport {
  readonly rows: number;
  readonly requests: number;
  readonly dispatchedMs: number;
  readonly answeredMs: number;
  readonly computeMs: number;
  /** Of a model whose inputs are padded: what its requests filled of the padded dimension, and what padding did, over all rows. */
  readonly padding?: { readonly content: number; readonly padding: number } | undefined;
}

/** What metrics and statistics are told. Called on the hot path: implementations must not throw nor keep the timeline. */
export interface QueueObserver {
  runFinished(report: RunReport): void;
  /** A request was answered; every stamp up to `answeredMs` is set. `rows` are its own. */
  requestAnswered(timeline: Timeline, rows: number): void;
  /** A request failed after it was run. `reason` is the error's reason. */
  requestFailed(reason: string, waitedMs: number): void;
  /** A request ended without a result of the model: not accepted, displaced, expired, or cancelled. */
  requestRejected(reason: RejectReason, waitedMs: number): void;
  requestsRetried(kind: RetryKind, requests: number): void;
}

/** Observes nothing. */
export const silentObserver: QueueObserver = {
  runFinished() {},
  requestAnswered() {},
  requestFailed() {},
  requestRejected() {},
  requestsRetried() {},
};

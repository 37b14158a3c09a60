import type { RejectReason, RetryKind } from "./observer.ts";

/** A queue at one moment. Counts of the past are since the scheduler was made. */
export interface QueueSnapshot {
  readonly state: "open" | "draining" | "closed";
  /** Requests that wait, wholly or in part, and the rows and bytes of theirs that wait. */
  readonly waitingRequests: number;
  readonly waitingRows: number;
  readonly waitingBytes: number;
  /** Batches that will be run once more. */
  readonly retryingRuns: number;
  readonly runningRuns: number;
  readonly runningRows: number;
  /** Requests without an answer yet, waiting or running. */
  readonly liveRequests: number;
  readonly readyExecutors: number;
  /** Requests with a deadline among the live ones. */
  readonly deadlines: number;
  /** Inputs under suspicion or in quarantine. */
  readonly suspects: number;
  readonly answeredRequests: number;
  readonly failedRequests: number;
  readonly rejectedRequests: Readonly<Partial<Record<RejectReason, number>>>;
  readonly retriedRequests: Readonly<Record<RetryKind, number>>;
  /** Finished runs by their number of rows. */
  readonly batchSizes: ReadonlyMap<number, number>;
  /** Requests answered per second over the last five seconds. */
  readonly drainPerSecond: number;
  /** 95th percentile of a run, dispatch to answer; undefined when there were too few lately. */
  readonly serviceP95Ms: number | undefined;
}

import type { Timeline } from "../base/timeline.ts";
import type { QueueObserver, RunReport } from "./observer.ts";

/** How often something happened and how long it took in all. */
export interface StatisticDuration {
  readonly count: number;
  readonly ns: number;
}

/** One batch size's line of the statistics document. */
export interface BatchStatistics {
  readonly batchSize: number;
  readonly computeInput: StatisticDuration;
  readonly computeInfer: StatisticDuration;
  readonly computeOutput: StatisticDuration;
}

/**
 * What the v2 statistics extension reports of one model version, in its own terms (Triton, `docs/protocol/extension_statistics.md`).
 * Counts of `queue` and `compute*` are answered requests; of `batchStats`, runs.
 */
export interface ModelStatistics {
  /** Wall-clock milliseconds since 1970 of the last answer; 0: none yet. */
  readonly lastInference: number;
  /** Rows answered. */
  readonly inferenceCount: number;
  /** Runs. */
  readonly executionCount: number;
  /** Enqueued to answered. */
  readonly success: StatisticDuration;
  /** Enqueued to refused or failed; cancelled requests are not failures. */
  readonly fail: StatisticDuration;
  readonly cancel: StatisticDuration;
  /** Enqueued to handed to a worker. */
  readonly queue: StatisticDuration;
  /** On the way to the worker and back: which part is which cannot be told, so all of it counts as input. */
  readonly computeInput: StatisticDuration;
  /** In the model, as the worker measured it. */
  readonly computeInfer: StatisticDuration;
  /** Always 0 ns: the way back is in `computeInput`. */
  readonly computeOutput: StatisticDuration;
  /** Ascending by size. */
  readonly batchStats: readonly BatchStatistics[];
}

export interface Statistics {
  /** Feeds the statistics. */
  readonly observer: QueueObserver;
  read(): ModelStatistics;
}

/** Counts and sums, in milliseconds until they are read. */
interface Sums {
  count: number;
  inputMs: number;
  inferMs: number;
}

/** `wallClockMs` is milliseconds since 1970, read once per run. */
export function createStatistics(wallClockMs: () => number): Statistics {
  const requests: Sums = { count: 0, inputMs: 0, inferMs: 0 };
  const bySize = new Map<number, Sums>();
  const totals = { lastInference: 0, rows: 0, runs: 0, successMs: 0, queueMs: 0 };
  const fail = { count: 0, ms: 0 };
  const cancel = { count: 0, ms: 0 };

  const runFinished = ({ rows, dispatchedMs, answeredMs, computeMs }: RunReport): void => {
    let sums = bySize.get(rows);
    if (sums === undefined) {
      sums = { count: 0, inputMs: 0, inferMs: 0 };
      bySize.set(rows, sums);
    }
    addRun(sums, answeredMs - dispatchedMs, computeMs);
    totals.runs += 1;
    totals.lastInference = wallClockMs();
  };
  const requestAnswered = (timeline: Timeline, rows: number): void => {
    const { enqueuedMs, dispatchedMs, answeredMs, computeMs } = timeline;
    addRun(requests, answeredMs - dispatchedMs, computeMs);
    totals.rows += rows;
    totals.successMs += answeredMs - enqueuedMs;
    totals.queueMs += dispatchedMs - enqueuedMs;
  };
  const requestRejected: QueueObserver["requestRejected"] = (reason, waitedMs) => {
    const sums = reason === "cancelled" ? cancel : fail;
    sums.count += 1;
    sums.ms += waitedMs;
  };
  const requestFailed: QueueObserver["requestFailed"] = (_reason, waitedMs) => {
    fail.count += 1;
    fail.ms += waitedMs;
  };

  return {
    observer: { runFinished, requestAnswered, requestRejected, requestFailed, requestsRetried() {} },
    read: () => ({
      lastInference: totals.lastInference,
      inferenceCount: totals.rows,
      executionCount: totals.runs,
      success: duration(requests.count, totals.successMs),
      fail: duration(fail.count, fail.ms),
      cancel: duration(cancel.count, cancel.ms),
      queue: duration(requests.count, totals.queueMs),
      ...compute(requests),
      batchStats: [...bySize]
        .sort(([a], [b]) => a - b)
        .map(([batchSize, sums]) => ({ batchSize, ...compute(sums) })),
    }),
  };
}

function addRun(sums: Sums, totalMs: number, computeMs: number): void {
  sums.count += 1;
  sums.inferMs += computeMs;
  sums.inputMs += Math.max(0, totalMs - computeMs);
}

function compute(sums: Sums): Pick<BatchStatistics, "computeInput" | "computeInfer" | "computeOutput"> {
  return {
    computeInput: duration(sums.count, sums.inputMs),
    computeInfer: duration(sums.count, sums.inferMs),
    computeOutput: duration(sums.count, 0),
  };
}

function duration(count: number, ms: number): StatisticDuration {
  return { count, ns: Math.round(ms * 1e6) };
}

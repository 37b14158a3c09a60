import type { Timeline } from "../base/timeline.ts";
import type { QueueObserver, RejectReason, RetryKind, RunReport } from "./observer.ts";
import type { QueueSnapshot } from "./snapshot.ts";

export type TallyCounts = Pick<
  QueueSnapshot,
  "answeredRequests" | "failedRequests" | "rejectedRequests" | "retriedRequests" | "batchSizes"
>;

/** Counts what happened for the snapshot, and passes everything on to the observer. */
export class Tally implements QueueObserver {
  #answered = 0;
  #failed = 0;
  readonly #rejected: Partial<Record<RejectReason, number>> = {};
  readonly #retried: Record<RetryKind, number> = { bisect: 0, died: 0, waiting: 0 };
  readonly #batchSizes = new Map<number, number>();
  readonly #observer: QueueObserver;

  constructor(observer: QueueObserver) {
    this.#observer = observer;
  }

  /** Copies: the caller may keep them. */
  counts(): TallyCounts {
    return {
      answeredRequests: this.#answered,
      failedRequests: this.#failed,
      rejectedRequests: { ...this.#rejected },
      retriedRequests: { ...this.#retried },
      batchSizes: new Map(this.#batchSizes),
    };
  }

  runFinished(report: RunReport): void {
    this.#batchSizes.set(report.rows, (this.#batchSizes.get(report.rows) ?? 0) + 1);
    this.#observer.runFinished(report);
  }

  requestAnswered(timeline: Timeline, rows: number): void {
    this.#answered += 1;
    this.#observer.requestAnswered(timeline, rows);
  }

  requestFailed(reason: string, waitedMs: number): void {
    this.#failed += 1;
    this.#observer.requestFailed(reason, waitedMs);
  }

  requestRejected(reason: RejectReason, waitedMs: number): void {
    this.#rejected[reason] = (this.#rejected[reason] ?? 0) + 1;
    this.#observer.requestRejected(reason, waitedMs);
  }

  requestsRetried(kind: RetryKind, requests: number): void {
    this.#retried[kind] += requests;
    this.#observer.requestsRetried(kind, requests);
  }
}

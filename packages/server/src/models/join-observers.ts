import type { QueueObserver } from "../queue/observer.ts";

/** Tells both; the first alone when there is no second. */
export function joinObservers(first: QueueObserver, second: QueueObserver | undefined): QueueObserver {
  if (second === undefined) return first;
  return {
    runFinished(report) {
      first.runFinished(report);
      second.runFinished(report);
    },
    requestAnswered(timeline, rows) {
      first.requestAnswered(timeline, rows);
      second.requestAnswered(timeline, rows);
    },
    requestFailed(reason, waitedMs) {
      first.requestFailed(reason, waitedMs);
      second.requestFailed(reason, waitedMs);
    },
    requestRejected(reason, waitedMs) {
      first.requestRejected(reason, waitedMs);
      second.requestRejected(reason, waitedMs);
    },
    requestsRetried(kind, requests) {
      first.requestsRetried(kind, requests);
      second.requestsRetried(kind, requests);
    },
  };
}

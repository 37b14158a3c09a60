import assert from "node:assert/strict";
import { test } from "node:test";
import { submitTo } from "../base/result-receiver.ts";
import { KIND, rowsRequest, settle, setUp } from "./fakes.kit.ts";
import type { QueueObserver } from "./queue-observer.ts";

test("the observer hears of every run and of the one end of every request", async () => {
  const heard: unknown[] = [];
  const observer: QueueObserver = {
    runFinished: ({ rows, requests, dispatchedMs, answeredMs, computeMs }) =>
      heard.push(["run", rows, requests, answeredMs - dispatchedMs, computeMs]),
    requestAnswered: (timeline, rows) =>
      heard.push(["answered", rows, timeline.answeredMs - timeline.enqueuedMs]),
    requestFailed: (reason, waitedMs) => heard.push(["failed", reason, waitedMs]),
    requestRejected: (reason, waitedMs) => heard.push(["rejected", reason, waitedMs]),
    requestsRetried: (kind, requests) => heard.push(["retried", kind, requests]),
  };
  const { scheduler, instances, clock } = setUp({}, { observer });
  const submit = (rows: number, options = {}) => {
    const request = rowsRequest(
      Array.from({ length: rows }, (_, i) => [i, KIND.fine] as const),
      options,
    );
    request.timeline.enqueuedMs = clock.nowMs();
    return submitTo(scheduler, request);
  };
  const controller = new AbortController();
  const answers = [submit(1), submit(1), submit(3)];
  const cancelled = assert.rejects(submit(1, { signal: controller.signal }));
  const bad = assert.rejects(submitTo(scheduler, rowsRequest([[7, KIND.throws]])));
  clock.advance(5);
  controller.abort();
  instances[0]!.step();
  await settle();
  while (instances[0]!.outstanding > 0) {
    clock.advance(3);
    instances[0]!.step();
    await settle();
  }
  await Promise.all([...answers, cancelled, bad]);
  // 0–5 ms the first alone; 5–8 ms two good ones and the bad one fail; 8–11 ms the good half; 11–14 ms the bad one.
  assert.deepEqual(heard, [
    ["rejected", "cancelled", 5],
    ["run", 1, 1, 5, 1],
    ["answered", 1, 5],
    ["retried", "bisect", 3],
    ["run", 4, 2, 3, 1],
    ["answered", 1, 11],
    ["answered", 3, 11],
    ["failed", "model_failed", 14],
  ]);
});

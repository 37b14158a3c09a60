import assert from "node:assert/strict";
import { test } from "node:test";
import { KIND, rowsRequest, settle, setUp } from "./fakes.test.support.ts";
import { createStatistics } from "./statistics.ts";

test("statistics count requests, rows and runs, and sum the stages of the timeline", async () => {
  const statistics = createStatistics(() => 1_700_000_000_000);
  const { scheduler, executors, clock } = setUp({}, { observer: statistics.observer });
  const submit = (rows: number, options = {}) => {
    const request = rowsRequest(
      Array.from({ length: rows }, (_, i) => [i, KIND.fine] as const),
      options,
    );
    request.timeline.enqueuedMs = clock.nowMs();
    return scheduler.submit(request);
  };
  const controller = new AbortController();
  const answers = [submit(1), submit(1), submit(3)];
  const cancelled = assert.rejects(submit(1, { signal: controller.signal }));
  const bad = assert.rejects(scheduler.submit(rowsRequest([[7, KIND.throws]])));
  clock.advance(5);
  controller.abort();
  executors[0]!.step();
  await settle();
  while (executors[0]!.outstanding > 0) {
    clock.advance(3);
    executors[0]!.step();
    await settle();
  }
  await Promise.all([...answers, cancelled, bad]);
  const ms = (count: number, total: number) => ({ count, ns: total * 1e6 });
  // 0–5 ms the first alone; 5–8 ms two good ones and the bad one fail; 8–11 ms the good half; 11–14 ms the bad one.
  assert.deepEqual(statistics.read(), {
    lastInference: 1_700_000_000_000,
    inferenceCount: 5,
    executionCount: 2,
    success: ms(3, 5 + 11 + 11),
    fail: ms(1, 14),
    cancel: ms(1, 5),
    queue: ms(3, 0 + 8 + 8),
    computeInput: ms(3, 4 + 2 + 2),
    computeInfer: ms(3, 3),
    computeOutput: ms(3, 0),
    batchStats: [
      { batchSize: 1, computeInput: ms(1, 4), computeInfer: ms(1, 1), computeOutput: ms(1, 0) },
      { batchSize: 4, computeInput: ms(1, 2), computeInfer: ms(1, 1), computeOutput: ms(1, 0) },
    ],
  });
});

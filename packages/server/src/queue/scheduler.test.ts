import assert from "node:assert/strict";
import { test } from "node:test";
import { ServeError } from "../base/errors.ts";
import { submitTo } from "../base/result-receiver.ts";
import { stageMs } from "../base/timeline.ts";
import {
  expectedOutputs,
  int32s,
  KIND,
  type RequestOptions,
  rowsRequest,
  settle,
  setUp,
} from "./fakes.kit.ts";
import type { RequestResult } from "./queued-request.ts";

const one = (id: number, options?: RequestOptions) => rowsRequest([[id, KIND.fine]], options);

function refusal(code: string, reason: string) {
  return (error: unknown) => {
    assert.ok(error instanceof ServeError);
    assert.deepEqual([error.code, error.reason], [code, reason]);
    return true;
  };
}

function values(answer: RequestResult): number[][] {
  return answer.outputs.map((output) => int32s(output.bytes));
}

test("an idle instance takes a request at once; while it is busy requests gather and run together", async () => {
  const { scheduler, instances } = setUp();
  const answers = [1, 2, 3].map((id) => submitTo(scheduler, one(id)));
  assert.deepEqual(instances[0]!.runs, [[1]]);
  instances[0]!.step();
  await settle();
  assert.deepEqual(instances[0]!.runs, [[1], [2, 3]]);
  instances[0]!.step();
  const [first, second, third] = await Promise.all(answers);
  assert.deepEqual(values(first!), expectedOutputs([[1, KIND.fine]]));
  assert.deepEqual(values(third!), expectedOutputs([[3, KIND.fine]]));
  assert.deepEqual([first!.batchRows, second!.batchRows], [1, 2]);
  assert.deepEqual(
    third!.outputs.map((o) => [o.name, o.datatype, o.shape]),
    [
      ["doubled", "INT32", [1, 3]],
      ["rank", "INT32", [1]],
    ],
  );
});

test("requests that arrive in one turn of the event loop run together, also when the instance is idle", async () => {
  const turn: (() => void)[] = [];
  const { scheduler, instances } = setUp({}, { defer: (callback) => turn.push(callback) });
  const answers = [1, 2, 3].map((id) => submitTo(scheduler, one(id)));
  assert.deepEqual(instances[0]!.runs, []);
  assert.equal(turn.length, 1);
  turn.shift()!();
  assert.deepEqual(instances[0]!.runs, [[1, 2, 3]]);
  instances[0]!.step();
  assert.deepEqual(
    (await Promise.all(answers)).map((answer) => answer.batchRows),
    [3, 3, 3],
  );
  answers.push(submitTo(scheduler, one(4)));
  assert.equal(turn.length, 1);
  scheduler.destroy("test");
  turn.shift()!();
  assert.deepEqual(instances[0]!.runs, [[1, 2, 3]]);
  await assert.rejects(answers[3]!, refusal("unavailable", "shut_down"));
});

test("the batch is the requests' own bytes, and answers are views on one block", async () => {
  const { scheduler, instances } = setUp();
  const seen: Uint8Array[][] = [];
  const run = instances[0]!.run.bind(instances[0]!);
  instances[0]!.run = (request) => {
    seen.push([...request.inputs[0]!.chunks]);
    return run(request);
  };
  const requests = [one(1), one(2), one(3)];
  const answers = requests.map((request) => submitTo(scheduler, request));
  instances[0]!.step();
  await settle();
  instances[0]!.step();
  assert.equal(seen[1]![0], requests[1]!.inputs[0]!.bytes);
  assert.equal(seen[1]![1], requests[2]!.inputs[0]!.bytes);
  const [, second, third] = await Promise.all(answers);
  assert.equal(second!.outputs[0]!.bytes.buffer, third!.outputs[0]!.bytes.buffer);
});

for (const [rows, runs] of [
  [31, [31]],
  [32, [32]],
  [33, [32, 1]],
] as const) {
  test(`${rows} waiting rows run in batches of ${runs.join(" and ")} when 32 is the maximum`, async () => {
    const { scheduler, instances } = setUp({ maxBatchSize: 32 });
    const answers = [submitTo(scheduler, one(0))];
    for (let id = 1; id <= rows; id++) answers.push(submitTo(scheduler, one(id)));
    while (instances[0]!.step()) await settle();
    await Promise.all(answers);
    assert.deepEqual(
      instances[0]!.runs.map((ids) => ids.length),
      [1, ...runs],
    );
  });
}

test("a request larger than a batch is divided, and its answer is whole and in order", async () => {
  const { scheduler, instances } = setUp({ maxBatchSize: 4 });
  const rows = Array.from({ length: 10 }, (_, i) => [i, KIND.fine] as const);
  const answers = [submitTo(scheduler, rowsRequest(rows)), submitTo(scheduler, one(99))];
  while (instances[0]!.step()) await settle();
  const [big, small] = await Promise.all(answers);
  assert.deepEqual(values(big!), expectedOutputs(rows));
  assert.deepEqual(big!.outputs[0]!.shape, [10, 3]);
  assert.deepEqual(values(small!), expectedOutputs([[99, KIND.fine]]));
  assert.deepEqual(
    instances[0]!.runs.map((ids) => ids.length),
    [4, 4, 3],
  );
});

test("only the outputs that were asked for come back, in the order asked", async () => {
  const { scheduler, instances } = setUp();
  const answer = submitTo(scheduler, one(5, { outputs: ["rank"] }));
  instances[0]!.step();
  assert.deepEqual(
    (await answer).outputs.map((o) => o.name),
    ["rank"],
  );
  await assert.rejects(
    submitTo(scheduler, one(5, { outputs: ["nope"] })),
    refusal("invalid_argument", "invalid_argument"),
  );
});

test("a batch may wait for mates up to the delay, and goes earlier when it is full", async () => {
  const { scheduler, instances, clock } = setUp({ maxQueueDelayMs: 10, maxBatchSize: 3 });
  for (const id of [1, 2]) void submitTo(scheduler, one(id));
  clock.advance(9);
  assert.deepEqual(instances[0]!.runs, []);
  clock.advance(1);
  assert.deepEqual(instances[0]!.runs, [[1, 2]]);
  instances[0]!.step();
  await settle();
  for (const id of [3, 4, 5]) void submitTo(scheduler, one(id));
  assert.deepEqual(instances[0]!.runs[1], [3, 4, 5]);
});

test("a preferred size is taken at once, anything when the delay is over", async () => {
  const { scheduler, instances, clock } = setUp({
    maxQueueDelayMs: 10,
    maxBatchSize: 8,
    preferredBatchSizes: [2],
  });
  void submitTo(scheduler, one(1));
  assert.deepEqual(instances[0]!.runs, []);
  void submitTo(scheduler, one(2));
  assert.deepEqual(instances[0]!.runs, [[1, 2]]);
  for (const id of [3, 4, 5]) void submitTo(scheduler, one(id));
  instances[0]!.step();
  await settle();
  assert.deepEqual(instances[0]!.runs[1], [3, 4]);
  instances[0]!.step();
  await settle();
  clock.advance(10);
  assert.deepEqual(instances[0]!.runs[2], [5]);
});

test("a near deadline ends the wait for mates: half the time is kept for the run", () => {
  const { scheduler, instances, clock } = setUp({ maxQueueDelayMs: 100 });
  for (const [id, left] of [
    [1, undefined],
    [2, 20],
  ] as const) {
    const deadlineMs = left === undefined ? undefined : clock.nowMs() + left;
    submitTo(scheduler, one(id, { deadlineMs })).catch(() => {});
  }
  clock.advance(9);
  assert.deepEqual(instances[0]!.runs, []);
  clock.advance(1);
  assert.deepEqual(instances[0]!.runs, [[1, 2]]);
});

test("a request that waits is cancelled: it never runs, and its mates do", async () => {
  const { scheduler, instances } = setUp();
  const controller = new AbortController();
  void submitTo(scheduler, one(1));
  const cancelled = submitTo(scheduler, one(2, { signal: controller.signal }));
  const mate = submitTo(scheduler, one(3));
  controller.abort();
  await assert.rejects(cancelled, refusal("cancelled", "cancelled"));
  instances[0]!.step();
  await settle();
  instances[0]!.step();
  await mate;
  assert.deepEqual(instances[0]!.runs, [[1], [3]]);
});

test("a request that runs is cancelled: it is answered at once and its result is dropped", async () => {
  const { scheduler, instances } = setUp();
  const controller = new AbortController();
  const cancelled = submitTo(scheduler, one(1, { signal: controller.signal }));
  controller.abort();
  await assert.rejects(cancelled, refusal("cancelled", "cancelled"));
  instances[0]!.step();
  await settle();
  assert.equal(scheduler.gauges().runningRequests, 0);
  await assert.rejects(
    submitTo(scheduler, one(2, { signal: controller.signal })),
    refusal("cancelled", "cancelled"),
  );
});

test("a signal that fires because the deadline came, a little early, is an expiry and no cancellation", async () => {
  const { scheduler } = setUp();
  const controller = new AbortController();
  const expiring = submitTo(scheduler, one(1, { signal: controller.signal, deadlineMs: 10 }));
  controller.abort(new ServeError("deadline_exceeded", "the deadline passed"));
  await assert.rejects(expiring, refusal("deadline_exceeded", "deadline_exceeded"));
});

test("a deadline ends a request wherever it is, and never earlier", async () => {
  const { scheduler, instances, clock } = setUp();
  const deadlineMs = clock.nowMs() + 10;
  const ended: string[] = [];
  const running = submitTo(scheduler, one(1, { deadlineMs }));
  const waiting = submitTo(scheduler, one(2, { deadlineMs }));
  running.catch(() => ended.push("running"));
  waiting.catch(() => ended.push("waiting"));
  clock.advance(9);
  await settle();
  assert.deepEqual(ended, []);
  clock.advance(1);
  await assert.rejects(running, refusal("deadline_exceeded", "deadline_exceeded"));
  await assert.rejects(waiting, refusal("deadline_exceeded", "deadline_exceeded"));
  await assert.rejects(
    submitTo(scheduler, one(3, { deadlineMs })),
    refusal("deadline_exceeded", "deadline_exceeded"),
  );
  instances[0]!.step();
  await settle();
  assert.deepEqual(instances[0]!.runs, [[1]]);
  assert.equal(clock.pendingTimers, 0);
});

test("a queue timeout counts only while a request waits", async () => {
  const { scheduler, instances, clock } = setUp({ queueTimeoutMs: 5 });
  const running = submitTo(scheduler, one(1));
  const waiting = submitTo(scheduler, one(2));
  clock.advance(5);
  await assert.rejects(waiting, refusal("deadline_exceeded", "deadline_exceeded"));
  instances[0]!.step();
  await running;
});

test("requests wait while no instance is ready, and are refused when none will ever be", async () => {
  const { scheduler, instances } = setUp();
  instances[0]!.state = { kind: "restarting", attempt: 1, reason: "test" };
  scheduler.instancesChanged();
  const answer = submitTo(scheduler, one(1));
  instances[0]!.revive();
  scheduler.instancesChanged();
  instances[0]!.step();
  await answer;
  instances[0]!.state = { kind: "restarting", attempt: 1, reason: "test" };
  const waiting = submitTo(scheduler, one(2));
  instances[0]!.state = { kind: "failed", reason: "test" };
  scheduler.instancesChanged();
  await assert.rejects(waiting, refusal("unavailable", "no_instance"));
  await assert.rejects(submitTo(scheduler, one(3)), refusal("unavailable", "no_instance"));
});

for (const [depth, outstanding] of [
  [1, 1],
  [2, 2],
] as const) {
  test(`pipelineDepth ${depth} keeps ${outstanding} runs outstanding`, () => {
    const { scheduler, instances } = setUp({ pipelineDepth: depth });
    for (const id of [1, 2, 3, 4]) void submitTo(scheduler, one(id));
    assert.equal(instances[0]!.outstanding, outstanding);
  });
}

test("the timeline shows who waited for what", async () => {
  const { scheduler, instances, clock } = setUp();
  const [first, second] = [one(1), one(2)];
  for (const request of [first, second]) request.timeline.enqueuedMs = clock.nowMs();
  const answers = [submitTo(scheduler, first), submitTo(scheduler, second)];
  clock.advance(4);
  instances[0]!.step();
  await settle();
  clock.advance(6);
  instances[0]!.step();
  await Promise.all(answers);
  assert.deepEqual(
    (["queue", "batch", "transfer", "compute"] as const).map((stage) => stageMs(first.timeline, stage)),
    [0, 0, 3, 1],
  );
  assert.deepEqual(
    (["queue", "batch", "transfer", "compute"] as const).map((stage) => stageMs(second.timeline, stage)),
    [4, 0, 5, 1],
  );
});

test("close answers everything and takes nothing new; destroy rejects everything", async () => {
  const draining = setUp();
  const answers = [1, 2, 3].map((id) => submitTo(draining.scheduler, one(id)));
  let isClosed = false;
  const closed = draining.scheduler.close().then(() => {
    isClosed = true;
  });
  await assert.rejects(submitTo(draining.scheduler, one(4)), refusal("unavailable", "draining"));
  draining.instances[0]!.step();
  await settle();
  assert.equal(isClosed, false);
  draining.instances[0]!.step();
  await Promise.all([...answers, closed, draining.scheduler.close()]);

  const destroyed = setUp();
  const lost = [1, 2, 3].map((id) => submitTo(destroyed.scheduler, one(id, { deadlineMs: 5000 })));
  destroyed.scheduler.destroy("the test says so");
  for (const answer of lost) await assert.rejects(answer, refusal("unavailable", "shut_down"));
  await destroyed.scheduler.close();
  assert.equal(destroyed.clock.pendingTimers, 0);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { createActiveTimeClock } from "../base/active-time-clock.ts";
import { ServeError } from "../base/errors.ts";
import { ManualClock } from "../base/manual-clock.kit.ts";
import { submitTo } from "../base/result-receiver.ts";
import { KIND, type RequestOptions, rowsRequest, type SetUp, settle, setUp } from "./fakes.kit.ts";
import { createQuota } from "./quota.ts";

/** Submits one row and keeps how it ended. */
function send(parts: SetUp, id: number, options: RequestOptions = {}) {
  const outcome = { reason: "waits", retryAfterMs: undefined as number | undefined };
  submitTo(parts.scheduler, rowsRequest([[id, KIND.fine]], options)).then(
    () => {
      outcome.reason = "answered";
    },
    (error: ServeError) => {
      assert.ok(error instanceof ServeError);
      outcome.reason = error.reason;
      outcome.retryAfterMs = error.retryAfterMs;
    },
  );
  return outcome;
}

/** Teaches the scheduler that a run takes `ms`. */
async function learn(parts: SetUp, ms: number): Promise<void> {
  for (let i = 0; i < 12; i++) {
    send(parts, 0);
    parts.clock.advance(ms);
    parts.instances[0]!.step();
    await settle();
  }
}

test("a queue of n takes n requests beside those that run, and refuses the next", async () => {
  const parts = setUp({ maxQueueSize: 3 });
  const outcomes = [0, 1, 2, 3, 4].map((id) => send(parts, id));
  await settle();
  assert.deepEqual(
    outcomes.map((o) => o.reason),
    ["waits", "waits", "waits", "waits", "queue_full"],
  );
});

test("the default limit is four full batches per instance, at least 64", async () => {
  for (const [maxBatchSize, limit] of [
    [8, 64],
    [32, 128],
  ] as const) {
    const parts = setUp({ maxBatchSize });
    const outcomes = Array.from({ length: limit + 2 }, (_, id) => send(parts, id));
    await settle();
    assert.equal(outcomes.filter((o) => o.reason === "waits").length, 1 + limit);
  }
});

for (const [limit, taken] of [
  [15, 1],
  [16, 2],
  [17, 2],
] as const) {
  test(`a queue of ${limit} bytes takes ${taken} requests of 8 bytes`, async () => {
    const parts = setUp({ maxQueueBytes: limit });
    send(parts, 0);
    const outcomes = [1, 2, 3].map((id) => send(parts, id));
    await settle();
    assert.equal(outcomes.filter((o) => o.reason === "waits").length, taken);
  });
}

test("when the queue is full the newest of the lowest priority gives way to a higher one, never to its own", async () => {
  const parts = setUp({ maxQueueSize: 3, priorityLevels: 3 });
  send(parts, 0);
  const low = [1, 2].map((id) => send(parts, id, { priority: 3 }));
  const middle = send(parts, 3, { priority: 2 });
  const high = send(parts, 4, { priority: 1 });
  const lowAgain = send(parts, 5, { priority: 3 });
  await settle();
  assert.deepEqual(
    [...low, middle, high, lowAgain].map((o) => o.reason),
    ["waits", "queue_full", "waits", "waits", "queue_full"],
  );
});

test("higher priorities run first; 0 and unknown priorities mean the default", async () => {
  const parts = setUp({ priorityLevels: 3, maxBatchSize: 1 });
  send(parts, 0);
  for (const [id, priority] of [
    [1, 3],
    [2, 0],
    [3, 2],
    [4, 9],
    [5, 1],
  ] as const) {
    send(parts, id, { priority });
  }
  while (parts.instances[0]!.step()) await settle();
  assert.deepEqual(parts.instances[0]!.runs.flat(), [0, 5, 2, 3, 4, 1]);
});

test("lower priorities fill what a batch has left", async () => {
  const parts = setUp({ priorityLevels: 2, maxBatchSize: 3 });
  send(parts, 0);
  for (const id of [1, 2, 3]) send(parts, id, { priority: 2 });
  send(parts, 4, { priority: 1 });
  parts.instances[0]!.step();
  await settle();
  assert.deepEqual(parts.instances[0]!.runs[1], [4, 1, 2]);
});

test("tenants take turns, and a full queue takes from the one that has most", async () => {
  const parts = setUp({ maxQueueSize: 6, maxBatchSize: 4 });
  send(parts, 0);
  const greedy = [1, 2, 3, 4, 5, 6].map((id) => send(parts, id, { tenant: "greedy" }));
  const modest = [11, 12].map((id) => send(parts, id, { tenant: "modest" }));
  await settle();
  assert.deepEqual(
    greedy.map((o) => o.reason),
    ["waits", "waits", "waits", "waits", "queue_full", "queue_full"],
  );
  assert.deepEqual(
    modest.map((o) => o.reason),
    ["waits", "waits"],
  );
  parts.instances[0]!.step();
  await settle();
  assert.deepEqual(parts.instances[0]!.runs[1], [1, 11, 2, 12]);
});

test("a full queue that a single tenant filled takes from it for a tenant never seen before", async () => {
  const parts = setUp({ maxQueueSize: 3, maxBatchSize: 4 });
  const greedy = [1, 2, 3, 4].map((id) => send(parts, id, { tenant: "greedy" }));
  const modest = send(parts, 11, { tenant: "modest" });
  const more = send(parts, 5, { tenant: "greedy" });
  await settle();
  assert.deepEqual(
    [...greedy, modest, more].map((o) => o.reason),
    ["waits", "waits", "waits", "queue_full", "waits", "queue_full"],
  );
});

test("whatever the batch size, each tenant's turn comes round", async () => {
  const parts = setUp({ maxBatchSize: 1 });
  send(parts, 0);
  for (const [index, tenant] of ["a", "a", "a", "b", "b", "b", "c", "c"].entries())
    send(parts, index + 1, { tenant });
  while (parts.instances[0]!.step()) await settle();
  assert.deepEqual(parts.instances[0]!.runs.flat(), [0, 1, 4, 7, 2, 5, 8, 3, 6]);
});

test("a request that cannot be answered in time is refused at once, but only if it had to wait", async () => {
  const parts = setUp();
  await learn(parts, 10);
  const soon = () => parts.clock.nowMs() + 9;
  const idle = send(parts, 1, { deadlineMs: soon() });
  const hopeless = send(parts, 2, { deadlineMs: soon() });
  const possible = send(parts, 3, { deadlineMs: parts.clock.nowMs() + 16 });
  await settle();
  assert.deepEqual(
    [idle.reason, hopeless.reason, possible.reason],
    ["waits", "deadline_unreachable", "waits"],
  );
});

test("a request that has become hopeless while it waited never reaches an instance", async () => {
  const parts = setUp();
  await learn(parts, 10);
  send(parts, 1);
  const late = send(parts, 2, { deadlineMs: parts.clock.nowMs() + 25 });
  parts.clock.advance(20);
  parts.instances[0]!.step();
  await settle();
  assert.equal(late.reason, "deadline_unreachable");
  assert.ok(!parts.instances[0]!.runs.flat().includes(2));
});

test("a wrong estimate of the service time does not refuse requests for ever", async () => {
  const parts = setUp();
  await learn(parts, 1000);
  send(parts, 1);
  const refused = send(parts, 2, { deadlineMs: parts.clock.nowMs() + 500 });
  await settle();
  assert.equal(refused.reason, "deadline_unreachable");
  parts.clock.advance(2001);
  const taken = send(parts, 3, { deadlineMs: parts.clock.nowMs() + 500 });
  await settle();
  assert.equal(taken.reason, "waits");
});

test("a process that was stopped for ten seconds refuses nobody afterwards because runs now seem to take that long", async () => {
  const clock = new ManualClock();
  const parts = { ...setUp({}, { clock, activeClock: createActiveTimeClock(clock) }), clock };
  for (let id = 0; id < 12; id++) {
    send(parts, id);
    clock.advance(id === 0 ? 10_000 : 10);
    parts.instances[0]!.step();
    await settle();
  }
  send(parts, 13);
  const inTime = send(parts, 14, { deadlineMs: clock.nowMs() + 500 });
  await settle();
  assert.equal(inTime.reason, "waits");
});

test("a full queue first drops those whose deadline cannot be met any more", async () => {
  const parts = setUp({ maxQueueSize: 2 });
  await learn(parts, 10);
  send(parts, 1);
  const dropped = send(parts, 2, { deadlineMs: parts.clock.nowMs() + 20 });
  const kept = send(parts, 3);
  parts.clock.advance(11);
  const taken = send(parts, 4);
  await settle();
  assert.deepEqual([dropped.reason, kept.reason, taken.reason], ["deadline_unreachable", "waits", "waits"]);
});

test("refusals say when to come back: half the queue at the present pace, jittered", async () => {
  for (const [random, least, most] of [
    [0, 50, 52],
    [0.999, 140, 160],
  ] as const) {
    const parts = setUp({ maxQueueSize: 20, maxBatchSize: 1 }, { random: () => random });
    await learn(parts, 10);
    for (let id = 0; id <= 20; id++) send(parts, id);
    const refused = send(parts, 99);
    await settle();
    assert.equal(refused.reason, "queue_full");
    assert.ok(refused.retryAfterMs! >= least && refused.retryAfterMs! <= most, `${refused.retryAfterMs} ms`);
  }
});

test("a key's quota refuses what is above its rate and says how long to wait", async () => {
  const quota = createQuota((key) => (key === "free" ? { perSecond: 10, burst: 2 } : undefined));
  const parts = setUp({}, { quota });
  const outcomes = [1, 2, 3].map((id) => send(parts, id, { tenant: "free" }));
  const other = send(parts, 4, { tenant: "paid" });
  await settle();
  assert.deepEqual(
    [...outcomes, other].map((o) => o.reason),
    ["waits", "waits", "quota_exceeded", "waits"],
  );
  assert.equal(outcomes[2]!.retryAfterMs, 100);
  parts.clock.advance(100);
  const again = [5, 6].map((id) => send(parts, id, { tenant: "free" }));
  await settle();
  assert.deepEqual(
    again.map((o) => o.reason),
    ["waits", "quota_exceeded"],
  );
});

test("settings that make no sense are refused by name", () => {
  for (const [config, name] of [
    [{ maxBatchSize: 0 }, "maxBatchSize"],
    [{ maxQueueSize: 0.5 }, "maxQueueSize"],
    [{ maxQueueDelayMs: -1 }, "maxQueueDelayMs"],
    [{ preferredBatchSizes: [33] }, "preferredBatchSizes"],
    [{ defaultPriority: 2 }, "defaultPriority"],
  ] as const) {
    assert.throws(
      () => setUp(config),
      (error: unknown) => {
        assert.ok(error instanceof ServeError && error.message.includes(name));
        return true;
      },
    );
  }
});

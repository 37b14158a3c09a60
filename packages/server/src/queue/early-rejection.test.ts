// Tests scheduler.ts: requests refused before their bodies are read.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { RequestHead } from "../base/request-head.ts";
import { submitTo } from "../base/result-receiver.ts";
import { KIND, type RequestOptions, rowsRequest, type SetUp, settle, setUp } from "./fakes.kit.ts";
import { createQuota } from "./quota.ts";

/** Submits one row; keeps why it was refused. */
function send(parts: SetUp, id: number, options: RequestOptions = {}): { reason: string } {
  const outcome = { reason: "waits" };
  submitTo(parts.scheduler, rowsRequest([[id, KIND.fine]], options)).then(
    () => {
      outcome.reason = "answered";
    },
    (error: { reason: string }) => {
      outcome.reason = error.reason;
    },
  );
  return outcome;
}

function fill(parts: SetUp, count: number, options: RequestOptions = {}): { reason: string }[] {
  return Array.from({ length: count }, (_, id) => send(parts, id, options));
}

function refusalOf(parts: SetUp, head: Partial<RequestHead> = {}): string {
  return parts.scheduler.rejectEarly({ deadlineMs: undefined, ...head })?.reason ?? "none";
}

async function learn(parts: SetUp, ms: number): Promise<void> {
  for (let i = 0; i < 12; i++) {
    send(parts, 0);
    parts.clock.advance(ms);
    parts.instances[0]!.step();
    await settle();
  }
}

test("a full queue refuses a request unread exactly as it refuses it read, and counts it once", async () => {
  const parts = setUp({ maxQueueSize: 3 });
  fill(parts, 3);
  assert.equal(refusalOf(parts), "none");
  fill(parts, 1);
  const unread = parts.scheduler.rejectEarly({ deadlineMs: undefined });
  assert.deepEqual(parts.counts.rejected, { queue_full: 1 });
  const read = await submitTo(parts.scheduler, rowsRequest([[9, KIND.fine]])).then(
    () => assert.fail("it was let in"),
    (error: unknown) => error,
  );
  assert.deepEqual(unread, read);
  assert.equal(parts.scheduler.gauges().waitingRequests, 3);
});

test("as soon as one has left the queue, requests are let in again", async () => {
  const parts = setUp({ maxQueueSize: 1, maxBatchSize: 1 });
  fill(parts, 2);
  assert.equal(refusalOf(parts), "queue_full");
  parts.instances[0]!.step();
  await settle();
  assert.equal(refusalOf(parts), "none");
  assert.equal(send(parts, 9).reason, "waits");
});

test("while a request of a lower priority waits, the body decides: it may name a higher one", () => {
  const parts = setUp({ maxQueueSize: 2, priorityLevels: 3 });
  fill(parts, 2, { priority: 1 });
  fill(parts, 1, { priority: 3 });
  assert.equal(refusalOf(parts), "none");
  // The one of priority 3 gives way; nobody has to for those of priority 1.
  fill(parts, 1, { priority: 1 });
  assert.equal(refusalOf(parts), "queue_full");
});

test("a tenant that has less waiting than another is let in, and the greedy one is not", async () => {
  const parts = setUp({ maxQueueSize: 3 });
  fill(parts, 4, { tenant: "greedy" });
  assert.equal(refusalOf(parts, { tenant: "greedy" }), "queue_full");
  assert.equal(refusalOf(parts, { tenant: "modest" }), "none");
  const modest = send(parts, 9, { tenant: "modest" });
  await settle();
  assert.equal(modest.reason, "waits");
});

test("who cannot be answered in time is told so, and hopeless ones that wait make room", async () => {
  const parts = setUp({ maxQueueSize: 2 });
  await learn(parts, 10);
  const now = parts.clock.nowMs();
  send(parts, 1);
  const doomed = send(parts, 2, { deadlineMs: now + 20 });
  send(parts, 3);
  assert.equal(refusalOf(parts, { deadlineMs: now + 9 }), "deadline_unreachable");
  assert.equal(refusalOf(parts), "queue_full");
  parts.clock.advance(11);
  assert.equal(refusalOf(parts), "none");
  await settle();
  assert.equal(doomed.reason, "deadline_unreachable");
});

test("a refusal uses up the tenant's quota as ever, and a request that is let in is not charged twice", async () => {
  const quota = createQuota(() => ({ perSecond: 1, burst: 3 }));
  const parts = setUp({ maxQueueSize: 1, maxBatchSize: 1 }, { quota });
  assert.equal(refusalOf(parts), "none");
  fill(parts, 2);
  assert.deepEqual([refusalOf(parts), refusalOf(parts)], ["queue_full", "quota_exceeded"]);
  assert.equal(refusalOf(parts, { tenant: "other" }), "queue_full");
});

test("while an input is under suspicion the body decides: it may be that input", async () => {
  const parts = setUp({ maxQueueSize: 1, maxBatchSize: 1 });
  submitTo(parts.scheduler, rowsRequest([[1, KIND.kills]])).catch(() => {});
  parts.instances[0]!.step();
  await settle();
  fill(parts, 3);
  assert.equal(refusalOf(parts), "none");
});

test("a queue that is closing leaves it to submit to say so", () => {
  const parts = setUp({ maxQueueSize: 1, maxBatchSize: 1 });
  fill(parts, 2);
  void parts.scheduler.close();
  assert.equal(refusalOf(parts), "none");
});

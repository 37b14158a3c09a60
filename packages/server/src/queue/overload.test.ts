import assert from "node:assert/strict";
import { test } from "node:test";
import type { ServeError } from "../base/errors.ts";
import { ConcurrencyLimit } from "./concurrency-limit.ts";
import { KIND, rowsRequest, settle, setUp } from "./fakes.kit.ts";
import type { QueueConfig } from "./queue-config.ts";

const SERVICE_MS = 10;

/** Open loop: `perMs` requests each millisecond for `forMs`, an executor that takes 10 ms per run; how long those answered took. */
async function flood(config: Partial<QueueConfig>, perMs: number, forMs: number) {
  const parts = setUp({ maxBatchSize: 4, maxQueueSize: 500, ...config });
  const { scheduler, executors, clock } = parts;
  const took: number[] = [];
  const reasons = new Map<string, number>();
  let id = 0;
  let busyUntilMs = Number.POSITIVE_INFINITY;
  for (let tick = 0; tick < forMs; tick++) {
    if (executors[0]!.outstanding > 0 && busyUntilMs <= clock.nowMs()) {
      executors[0]!.step();
      await settle();
      busyUntilMs = Number.POSITIVE_INFINITY;
    }
    for (let i = 0; i < perMs; i++) {
      const startMs = clock.nowMs();
      scheduler.submit(rowsRequest([[id++, KIND.fine]])).then(
        () => took.push(clock.nowMs() - startMs),
        (error: ServeError) => reasons.set(error.reason, (reasons.get(error.reason) ?? 0) + 1),
      );
    }
    if (executors[0]!.outstanding > 0) busyUntilMs = Math.min(busyUntilMs, clock.nowMs() + SERVICE_MS);
    clock.advance(1);
  }
  const { batchSizes } = scheduler.snapshot();
  scheduler.destroy("end");
  await settle();
  return { took, reasons, batchSizes };
}

test("under overload waits stay near the target and every run is full; without the control they grow with the queue", async () => {
  const on = await flood({ overload: { targetMs: 5, intervalMs: 50 } }, 2, 1000);
  const off = await flood({}, 2, 1000);
  const settled = on.took.slice(on.took.length / 4);
  assert.ok(Math.max(...settled) <= SERVICE_MS + 2 * SERVICE_MS, `${Math.max(...settled)} ms`);
  assert.ok(Math.max(...off.took) > 500, `${Math.max(...off.took)} ms`);
  assert.ok((on.reasons.get("overloaded") ?? 0) > 1000);
  assert.ok(
    on.took.length >= 0.95 * off.took.length,
    `${on.took.length} answered with, ${off.took.length} without`,
  );
});

test("healthy batching below capacity is not mistaken for overload", async () => {
  for (const maxQueueDelayMs of [0, 20]) {
    const { took, reasons } = await flood(
      { overload: { targetMs: 1, intervalMs: 30 }, maxBatchSize: 32, maxQueueDelayMs },
      1,
      600,
    );
    assert.equal(reasons.get("overloaded"), undefined);
    assert.ok(took.length > 500);
  }
});

test("the concurrency limit falls while runs are slower than the best of their size, and recovers", () => {
  const limit = new ConcurrencyLimit({ least: 8, most: 100 });
  for (let i = 0; i < 50; i++) limit.observe(4, 10, 100);
  assert.equal(limit.current, 100);
  for (let i = 0; i < 200; i++) limit.observe(4, 40, 100);
  const low = limit.current;
  assert.ok(low >= 8 && low < 50, `${low}`);
  for (let i = 0; i < 200; i++) limit.observe(4, 10, 100);
  assert.equal(limit.current, 100);
  for (let i = 0; i < 200; i++) limit.observe(32, 80, 100);
  assert.equal(limit.current, 100, "a larger batch may take longer");
});

test("with the adaptive limit a slow executor lets fewer requests in", async () => {
  const { scheduler, executors, clock } = setUp({ adaptiveLimit: true, maxBatchSize: 2, maxQueueSize: 40 });
  const reasons: string[] = [];
  const submit = () =>
    scheduler.submit(rowsRequest([[1, KIND.fine]])).catch((error: ServeError) => reasons.push(error.reason));
  const round = async (serviceMs: number) => {
    for (let live = scheduler.snapshot().liveRequests; live < 30; live++) void submit();
    clock.advance(serviceMs);
    executors[0]!.step();
    await settle();
  };
  for (let i = 0; i < 20; i++) await round(10);
  const before = reasons.length;
  for (let i = 0; i < 200; i++) await round(60);
  assert.equal(before, 0);
  assert.ok(reasons.includes("overloaded"));
});

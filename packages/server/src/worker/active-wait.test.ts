import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ActiveWait } from "./active-wait.ts";

/** A caller: each call takes so long, and before it the event loop slept so long; how long it was told to wait. */
function caller() {
  const wait = new ActiveWait();
  let [nowMs, sleptMs] = [1000, 0];
  return (asleepMs: number, tookMs: number): number => {
    nowMs += asleepMs;
    sleptMs += asleepMs;
    const waitMs = wait.asked(nowMs, sleptMs);
    nowMs += tookMs;
    if (waitMs > 0) wait.waited(tookMs <= waitMs);
    wait.answered(nowMs, sleptMs);
    return waitMs;
  };
}

/** Calls until it is waited; how many that took. */
function callsUntilWait(call: () => number, most = 10_000): number {
  for (let i = 1; i <= most; i++) if (call() > 0) return i;
  return Number.POSITIVE_INFINITY;
}

describe("ActiveWait", () => {
  test("waits once calls come one by one, for twice as long as an answer usually takes", () => {
    const call = caller();
    assert.ok(callsUntilWait(() => call(0.03, 0.08)) <= 40);
    for (let i = 0; i < 100; i++) call(0.03, 0.08);
    assert.ok(Math.abs(call(0.03, 0.08) - 0.16) < 0.001);
  });

  test("never waits while the event loop has something else to do", () => {
    const call = caller();
    assert.equal(
      callsUntilWait(() => call(0, 0.08)),
      Number.POSITIVE_INFINITY,
    );
    // Two clients: every other call comes when the one before is answered.
    let turn = 0;
    assert.equal(
      callsUntilWait(() => call(turn++ % 2 === 0 ? 0.03 : 0, 0.08)),
      Number.POSITIVE_INFINITY,
    );
  });

  test("never waits for a model that takes long, and stops when one begins to", () => {
    const call = caller();
    assert.equal(
      callsUntilWait(() => call(5, 1)),
      Number.POSITIVE_INFINITY,
    );
    for (let i = 0; i < 100; i++) call(0.03, 0.05);
    assert.ok(call(0.03, 0.05) > 0);
    for (let i = 0; i < 100; i++) call(0.03, 20);
    assert.equal(call(0.03, 20), 0);
  });

  test("no wait is longer than 0.3 ms", () => {
    const call = caller();
    for (let i = 0; i < 10_000; i++) assert.ok(call(0.03, (i % 300) / 1000) <= 0.3);
  });

  test("where waits are in vain it hardly ever waits: a core is wanted elsewhere", () => {
    const call = caller();
    for (let i = 0; i < 100; i++) call(0.03, 0.05);
    let waits = 0;
    // What answers usually take stays the same; those that are waited for are late.
    for (let i = 0; i < 10_000; i++) {
      const wait = call(0.03, i % 8 === 0 ? 0.29 : 0.05);
      if (wait > 0) waits++;
    }
    assert.ok(waits < 2500, `${waits} of 10,000 calls`);
  });
});

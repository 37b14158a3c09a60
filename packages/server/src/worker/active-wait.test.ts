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

/** A client that asks again so long after each answer; how long the process was told to stay awake for it. */
function client() {
  const wait = new ActiveWait();
  let [nowMs, sleptMs] = [1000, 0];
  return (pauseMs: number, isAlone = true): number => {
    wait.asked(nowMs, sleptMs);
    nowMs += 0.05;
    const awakeMs = wait.answered(nowMs, sleptMs);
    if (awakeMs > 0 && pauseMs > awakeMs) wait.noneCame();
    nowMs += pauseMs;
    if (isAlone) sleptMs += pauseMs;
    return awakeMs;
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

  test("stays awake for a client that asks again at once, for twice as long as it usually pauses", () => {
    const ask = client();
    assert.ok(callsUntilWait(() => ask(0.05)) <= 40);
    for (let i = 0; i < 100; i++) ask(0.05);
    assert.ok(Math.abs(ask(0.05) - 0.1) < 0.001);
  });

  test("does not stay awake for clients that pause, nor while there is something else to do", () => {
    for (const pauseMs of [0.25, 1, 1000]) {
      const ask = client();
      assert.equal(
        callsUntilWait(() => ask(pauseMs)),
        Number.POSITIVE_INFINITY,
      );
    }
    const ask = client();
    assert.equal(
      callsUntilWait(() => ask(0.05, false)),
      Number.POSITIVE_INFINITY,
    );
  });

  test("is hardly ever awake in vain where pauses vary, and never for more than 0.2 ms", () => {
    const ask = client();
    let inVain = 0;
    for (let i = 0; i < 10_000; i++) {
      const pauseMs = i % 20 === 0 ? 5 : 0.02;
      const awakeMs = ask(pauseMs);
      assert.ok(awakeMs <= 0.2);
      if (awakeMs > 0 && awakeMs < pauseMs) inVain++;
    }
    assert.ok(inVain < 350, `${inVain} of 10,000 calls`);
  });
});

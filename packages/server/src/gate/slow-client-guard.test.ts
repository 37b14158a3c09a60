import assert from "node:assert/strict";
import { test } from "node:test";
import type { Clock } from "../base/clock.ts";
import type { ServeError } from "../base/errors.ts";
import { createByteBudget } from "./byte-budget.ts";
import { createSlowClientGuard, type Transfer } from "./slow-client-guard.ts";

const LIMITS = { minBytesPerSecond: 100, slowBytesPerSecond: 1000, graceMs: 5000 };
const SECOND = 1000;

/** A clock that stands still between calls of `pass`. */
function handClock(): Clock & { pass(ms: number, stepMs?: number): void } {
  let nowMs = 1;
  let timers: { readonly atMs: number; readonly callback: () => void }[] = [];
  return {
    nowMs: () => nowMs,
    after(delayMs, callback) {
      const timer = { atMs: nowMs + delayMs, callback };
      timers.push(timer);
      return () => {
        timers = timers.filter((other) => other !== timer);
      };
    },
    pass(ms, stepMs = 100) {
      for (const endMs = nowMs + ms; nowMs < endMs; ) {
        nowMs += stepMs;
        const due = timers.filter((timer) => timer.atMs <= nowMs);
        timers = timers.filter((timer) => timer.atMs > nowMs);
        for (const { callback } of due) callback();
      }
    },
  };
}

interface Probe extends Transfer {
  moved: number;
  readonly reasons: string[];
}

function probe(clock: Clock, options: { heldBytes?: number; onEnded?: () => void } = {}): Probe {
  const reasons: string[] = [];
  return {
    startedMs: clock.nowMs(),
    moved: 0,
    heldBytes: options.heldBytes ?? 0,
    reasons,
    end(error: ServeError) {
      reasons.push(error.reason);
      options.onEnded?.();
    },
  };
}

test("whoever is slower than the least pace is given up after the grace, once", () => {
  const clock = handClock();
  const counted: string[] = [];
  const slowClients = createSlowClientGuard(clock, LIMITS, (reason) => counted.push(reason));
  const [silent, steady] = [probe(clock), probe(clock)];
  slowClients.watch(silent);
  slowClients.watch(steady);
  clock.pass(5 * SECOND);
  assert.deepEqual(silent.reasons, []);
  for (let second = 0; second < 20; second++) {
    steady.moved += 100;
    clock.pass(SECOND);
  }
  assert.deepEqual([silent.reasons, steady.reasons], [["request_timeout"], []]);
  assert.deepEqual(counted, ["request_timeout"]);
});

test("a stall of this process is not held against its clients", () => {
  const clock = handClock();
  const slowClients = createSlowClientGuard(clock, LIMITS);
  const waiting = probe(clock);
  slowClients.watch(waiting);
  clock.pass(10 * SECOND, 10 * SECOND);
  assert.deepEqual(waiting.reasons, []);
  clock.pass(2 * SECOND);
  assert.deepEqual(waiting.reasons, ["request_timeout"]);
});

test("when room is needed the slow ones go, those that have been slow for longest first, and the others stay", () => {
  const clock = handClock();
  const slowClients = createSlowClientGuard(clock, LIMITS);
  const first = probe(clock, { heldBytes: 10 });
  slowClients.watch(first);
  clock.pass(SECOND);
  const [second, fast, young] = [10, 10, 10].map((heldBytes) => probe(clock, { heldBytes })) as [
    Probe,
    Probe,
    Probe,
  ];
  slowClients.watch(second);
  slowClients.watch(fast);
  for (let i = 0; i < 7; i++) {
    for (const slow of [first, second]) slow.moved += 200;
    fast.moved += 1000;
    clock.pass(SECOND);
  }
  slowClients.watch(young);
  slowClients.reclaim(10);
  assert.deepEqual([first.reasons, second.reasons], [["slow_transfer"], []]);
  slowClients.reclaim(1000);
  assert.deepEqual([second.reasons, fast.reasons, young.reasons], [["slow_transfer"], [], []]);
});

test("a transfer that speeds up is not slow any more, and one that has ended is nobody's", () => {
  const clock = handClock();
  const slowClients = createSlowClientGuard(clock, LIMITS);
  const [late, gone] = [probe(clock), probe(clock)];
  slowClients.watch(late);
  slowClients.watch(gone);
  for (let i = 0; i < 6; i++) {
    late.moved += 150;
    gone.moved += 150;
    clock.pass(SECOND);
  }
  slowClients.unwatch(gone);
  for (let i = 0; i < 6; i++) {
    late.moved += 5000;
    clock.pass(SECOND);
  }
  slowClients.reclaim(1000);
  assert.deepEqual([late.reasons, gone.reasons], [[], []]);
});

test("who holds nothing has nothing to give, and who left during a stall is nobody's", () => {
  const clock = handClock();
  const slowClients = createSlowClientGuard(clock, LIMITS);
  const [empty, gone] = [probe(clock), probe(clock, { heldBytes: 10 })];
  slowClients.watch(empty);
  slowClients.watch(gone);
  for (let i = 0; i < 7; i++) {
    for (const slow of [empty, gone]) slow.moved += 200;
    clock.pass(SECOND);
  }
  clock.pass(3 * SECOND, 3 * SECOND);
  slowClients.unwatch(gone);
  slowClients.reclaim(1000);
  assert.deepEqual([empty.reasons, gone.reasons], [[], []]);
});

test("a full budget takes from slow clients before it rejects anybody", () => {
  const clock = handClock();
  const slowClients = createSlowClientGuard(clock, LIMITS);
  const maxBytes = 8_000_000;
  const budget = createByteBudget({
    maxBytes,
    maxRequests: 10,
    reclaim: (bytes) => slowClients.reclaim(bytes),
  });
  budget.enter(7_000_000);
  const slow = probe(clock, { heldBytes: 7_000_000, onEnded: () => budget.shrink(7_000_000) });
  slowClients.watch(slow);
  assert.throws(() => budget.enter(1_000_000), { reason: "memory_budget" });
  for (let i = 0; i < 7; i++) {
    slow.moved += 200;
    clock.pass(SECOND);
  }
  budget.enter(1_000_000);
  assert.deepEqual(slow.reasons, ["slow_transfer"]);
  assert.equal(budget.bytes, 1_000_000);
});

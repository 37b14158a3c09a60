// Tests budgets of several processes over one ledger file.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ManualClock } from "../../base/manual-clock.kit.ts";
import type { ByteBudget } from "../../gate/byte-budget.ts";
import { createSharedBudget } from "../../gate/shared-budget.ts";
import { openLedgerFile } from "./budget-ledger.ts";

const MAX = 1024 * 1024;
const LARGE = (MAX * 7) / 8;

function budgets(count: number): {
  readonly all: readonly ByteBudget[];
  readonly clock: ManualClock;
  readonly reclaimed: number[];
  kill(place: number): void;
  close(): void;
} {
  const file = openLedgerFile(count);
  const clock = new ManualClock();
  const reclaimed: number[] = [];
  const all = Array.from({ length: count }, (_, place) =>
    createSharedBudget({
      maxBytes: MAX,
      maxRequests: 10 * count,
      ledger: file.at(place),
      clock,
      reclaimElsewhere: (bytes) => reclaimed.push(bytes),
    }),
  );
  return {
    all,
    clock,
    reclaimed,
    kill: (place) => file.at(place).publish(0),
    close: () => file.close(),
  };
}

test("whatever processes take and give back, together they never hold more than the budget, and all of it can be had", () => {
  const steps = fc.array(
    fc.record({ at: fc.nat(2), bytes: fc.integer({ min: 1, max: MAX / 2 }), gives: fc.boolean() }),
    { maxLength: 60 },
  );
  fc.assert(
    fc.property(steps, (taken) => {
      const { all, clock, close } = budgets(3);
      const held: number[][] = [[], [], []];
      for (const { at, bytes, gives } of taken) {
        if (gives) {
          const size = held[at]!.pop();
          if (size !== undefined) all[at]!.leave(size);
        } else {
          try {
            all[at]!.enter(bytes);
            held[at]!.push(bytes);
          } catch {
            // Full.
          }
        }
        assert.ok(all.reduce((sum, { bytes: now }) => sum + now, 0) <= MAX);
      }
      for (const [at, sizes] of held.entries()) for (const size of sizes) all[at]!.leave(size);
      clock.advance(1000);
      all[1]!.enter(MAX);
      close();
    }),
    { numRuns: 60 },
  );
});

test("what one process holds the others lack, until it ends", () => {
  const { all, reclaimed, kill, close } = budgets(3);
  const [first, second] = all as [ByteBudget, ByteBudget];
  first.enter(LARGE - 100_000);
  assert.throws(() => second.enter(200_000), { reason: "memory_budget" });
  assert.equal(reclaimed.length, 1);
  kill(0);
  second.enter(200_000);
  close();
});

test("what is given back after the ledger was closed is written nowhere", () => {
  const { all, clock, close } = budgets(2);
  all[0]!.enter(1000);
  all[0]!.leave(1000);
  close();
  clock.advance(1000);
  all[0]!.enter(1000);
});

test("a body larger than the budget never fits, and each process has its part of the requests", () => {
  const { all, close } = budgets(2);
  assert.throws(() => all[0]!.enter(MAX + 1), { reason: "body_too_large" });
  for (let i = 0; i < 10; i++) all[0]!.enter(0);
  assert.throws(() => all[0]!.enter(0), { reason: "too_many_requests_in_flight" });
  all[1]!.enter(0);
  close();
});

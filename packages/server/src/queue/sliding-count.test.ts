import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { SlidingCount } from "./sliding-count.ts";

test("the sum holds everything of the last nine tenths of the window and nothing older than the window", () => {
  const steps = fc.array(fc.record({ waitMs: fc.nat({ max: 700 }), amount: fc.nat({ max: 5 }) }));
  fc.assert(
    fc.property(fc.nat({ max: 2000 }), steps, (startMs, list) => {
      const count = new SlidingCount(1000);
      const added: { atMs: number; amount: number }[] = [];
      let nowMs = startMs;
      for (const { waitMs, amount } of list) {
        nowMs += waitMs;
        count.add(amount, nowMs);
        added.push({ atMs: nowMs, amount });
        const sumSince = (ms: number) =>
          added.reduce((sum, entry) => sum + (entry.atMs > nowMs - ms ? entry.amount : 0), 0);
        const total = count.total(nowMs);
        assert.ok(total >= sumSince(900) && total <= sumSince(1000), `${total}`);
      }
    }),
  );
});

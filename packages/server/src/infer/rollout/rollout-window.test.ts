import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { RolloutWindow } from "./rollout-window.ts";

test("the 95th percentile is exact to a tenth, whatever the latencies are", () => {
  const latency = fc.double({ min: 0.05, max: 1e6, noNaN: true });
  fc.assert(
    fc.property(fc.array(latency, { minLength: 1, maxLength: 300 }), fc.nat(20), (latencies, failures) => {
      const window = new RolloutWindow();
      for (const ms of latencies) window.answered(ms);
      for (let i = 0; i < failures; i++) window.fail();
      const sorted = latencies.toSorted((a, b) => a - b);
      const exact = sorted[Math.ceil(sorted.length * 0.95) - 1]!;
      const ratio = window.p95Ms! / exact;
      assert.ok(ratio > 1 - 1e-9 && ratio < 1.1 + 1e-9, `${window.p95Ms} for ${exact}`);
      assert.deepEqual([window.requests, window.failed], [latencies.length + failures, failures]);
    }),
  );
});

test("what took longer is counted to a tenth", () => {
  const latency = fc.double({ min: 0.05, max: 1e6, noNaN: true });
  fc.assert(
    fc.property(fc.array(latency, { maxLength: 100 }), latency, (latencies, limitMs) => {
      const window = new RolloutWindow();
      for (const ms of latencies) window.answered(ms);
      const longer = (than: number): number => latencies.filter((ms) => ms > than).length;
      const counted = window.slowerThan(limitMs);
      assert.ok(counted <= longer(limitMs) && counted >= longer(limitMs * 1.1 * (1 + 1e-9)), `${counted}`);
    }),
  );
});

test("there is none of nothing, and the shortest and longest have a place", () => {
  const window = new RolloutWindow();
  assert.equal(window.p95Ms, undefined);
  window.fail();
  assert.equal(window.p95Ms, undefined);
  window.answered(0);
  assert.equal(window.p95Ms, 0.05);
  for (let i = 0; i < 30; i++) window.answered(Number.MAX_VALUE);
  assert.ok(window.p95Ms! > 1e6);
});

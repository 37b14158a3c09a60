import assert from "node:assert/strict";
import { test } from "node:test";
import { createByteBudget, SMALL_BYTES } from "./byte-budget.ts";

const FULL = { code: "unavailable", reason: "memory_budget", retryAfterMs: 1000 };

test("bytes fit up to the limit and not one past it, on entry and while growing", () => {
  const budget = createByteBudget({ maxBytes: 100, maxRequests: 10 });
  budget.enter(99);
  budget.enter(1);
  assert.throws(() => budget.enter(1), FULL);
  assert.throws(() => budget.grow(1, 1), FULL);
  budget.leave(1);
  budget.grow(1, 1);
  assert.deepEqual([budget.bytes, budget.requests], [100, 1]);
  budget.leave(100);
  assert.deepEqual([budget.bytes, budget.requests], [0, 0]);
});

test("a size that could never fit is too large, not a reason to wait", () => {
  const budget = createByteBudget({ maxBytes: 100, maxRequests: 10 });
  budget.enter(100);
  budget.leave(100);
  assert.throws(() => budget.enter(101), { code: "resource_exhausted", reason: "body_too_large" });
});

test("requests are counted however small, and a rejected one costs nothing", () => {
  const budget = createByteBudget({ maxBytes: 100, maxRequests: 2 });
  budget.enter(0);
  budget.enter(0);
  assert.throws(() => budget.enter(0), { code: "unavailable", reason: "too_many_requests_in_flight" });
  assert.equal(budget.requests, 2);
  budget.leave(0);
  budget.enter(0);
});

test("the last eighth is for small requests, and for one that is alone", () => {
  const budget = createByteBudget({ maxBytes: 8_000_000, maxRequests: 10 });
  budget.enter(7_000_000);
  assert.throws(() => budget.enter(SMALL_BYTES + 1), FULL);
  budget.enter(SMALL_BYTES);
  assert.throws(() => budget.grow(1, SMALL_BYTES), FULL);
  budget.leave(SMALL_BYTES);
  budget.grow(1_000_000, 7_000_000);
  budget.leave(8_000_000);
  budget.enter(8_000_000);
});

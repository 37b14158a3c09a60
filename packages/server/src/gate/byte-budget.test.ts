import assert from "node:assert/strict";
import { test } from "node:test";
import { createByteBudget } from "./byte-budget.ts";

const FULL = { code: "unavailable", reason: "memory_budget", retryAfterMs: 1000 };

test("bytes fit up to the limit and not one past it, on entry and while growing", () => {
  const budget = createByteBudget({ maxBytes: 100, maxRequests: 10 });
  budget.enter(99);
  budget.enter(1);
  assert.throws(() => budget.enter(1), FULL);
  assert.throws(() => budget.grow(1), FULL);
  budget.leave(1);
  budget.grow(1);
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

test("requests are counted however small, and a refused one costs nothing", () => {
  const budget = createByteBudget({ maxBytes: 100, maxRequests: 2 });
  budget.enter(0);
  budget.enter(0);
  assert.throws(() => budget.enter(0), { code: "unavailable", reason: "too_many_requests_in_flight" });
  assert.equal(budget.requests, 2);
  budget.leave(0);
  budget.enter(0);
});

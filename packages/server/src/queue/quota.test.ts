import assert from "node:assert/strict";
import { test } from "node:test";
import { createQuota } from "./quota.ts";

test("what each key asked is counted, with what it may still ask", () => {
  const quota = createQuota((key) => (key === "limited" ? { perSecond: 1, burst: 2 } : undefined));
  for (let i = 0; i < 5; i++) quota.take("limited", 0);
  quota.take("free", 0);
  const rate = { perSecond: 1, burst: 2 };
  assert.deepEqual(quota.usage(1500), [
    { tenant: "limited", requests: 5, rejected: 3, rate, available: 1 },
    { tenant: "free", requests: 1, rejected: 0, rate: undefined, available: undefined },
  ]);
});

test("keys that nobody knows do not fill the memory", () => {
  const quota = createQuota(() => undefined);
  for (let i = 0; i < 10_100; i++) quota.take(`made up ${i}`, 0);
  assert.equal(quota.usage(0).length, 10_000);
});

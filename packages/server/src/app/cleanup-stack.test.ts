import assert from "node:assert/strict";
import { test } from "node:test";
import { createCleanupStack } from "./cleanup-stack.ts";

test("the last is undone first, once, and a failure stops nothing", async () => {
  const cleanup = createCleanupStack();
  const undone: number[] = [];
  cleanup.defer(() => undone.push(1));
  cleanup.defer(async () => {
    await Promise.resolve();
    undone.push(2);
  });
  cleanup.defer(() => {
    throw new Error("cannot be undone");
  });
  cleanup.defer(() => Promise.reject(new Error("nor this")));
  cleanup.defer(() => undone.push(3));
  await cleanup.run();
  await cleanup.run();
  assert.deepEqual(undone, [3, 2, 1]);
});

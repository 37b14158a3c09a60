import assert from "node:assert/strict";
import { test } from "node:test";
import type { Logger } from "../base/logger.ts";
import { ManualClock } from "../base/manual-clock.kit.ts";
import { createDenialLog } from "./denial-log.ts";

test("a flood of denied calls is one line a second", () => {
  const clock = new ManualClock();
  const counts: unknown[] = [];
  const warn = (fields: object): void => void counts.push((fields as { count: number }).count);
  const logger: Logger = { debug() {}, info() {}, warn, error() {}, child: () => logger };
  const denied = createDenialLog(logger, clock);
  for (let i = 0; i < 100; i++) denied("key ci");
  assert.deepEqual(counts, [1]);
  clock.advance(1000);
  assert.deepEqual(counts, [1, 99]);
  denied("key ci");
  assert.deepEqual(counts, [1, 99, 1]);
});

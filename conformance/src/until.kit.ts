import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";

/** Against tests that hang; a busy machine may take its time. */
const LIMIT_MS = 120_000;

/** Waits until something is so; `what` is what the failure says was waited for. */
export async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  const endMs = performance.now() + LIMIT_MS;
  while (!(await isSo())) {
    assert.ok(performance.now() < endMs, `waited in vain for this: ${what}`);
    await delay(5);
  }
}

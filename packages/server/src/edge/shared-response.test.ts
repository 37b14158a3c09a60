import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { ManualClock } from "../base/manual-clock.kit.ts";
import { createSharedResponse } from "./shared-response.ts";

test("many who ask at once share two answers: the first one's, and one that is not older than their asking", async () => {
  const clock = new ManualClock();
  let made = 0;
  const shared = createSharedResponse(() => ++made, clock);
  const first = shared.get();
  const others = Array.from({ length: 1000 }, () => shared.get());
  assert.equal(await first, 1);
  await nextTurn();
  assert.equal(made, 1);
  clock.advance(50);
  assert.deepEqual(new Set(await Promise.all(others)), new Set([2]));
  clock.advance(50);
  assert.equal(await shared.get(), 3);
});

test("an answer that takes long is made less often, and one that fails leaves the next one alone", async () => {
  const clock = new ManualClock();
  let made = 0;
  const shared = createSharedResponse(() => {
    made += 1;
    clock.advance(20);
    if (made === 2) throw new Error("no");
    return made;
  }, clock);
  assert.equal(await shared.get(), 1);
  const second = shared.get();
  clock.advance(199);
  await nextTurn();
  assert.equal(made, 1);
  clock.advance(1);
  await assert.rejects(second, /no/);
  clock.advance(1000);
  assert.equal(await shared.get(), 3);
});

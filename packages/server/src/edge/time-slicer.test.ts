import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "../base/clock.ts";
import { createTimeSlicer, type Steps } from "./time-slicer.ts";

/** Work that keeps the thread for so long, and notes in which turns of the loop it did. */
function busyWork(totalMs: number, turns: Set<number>, turn: () => number): Steps {
  let leftMs = totalMs;
  return {
    step() {
      turns.add(turn());
      const startMs = performance.now();
      while (performance.now() - startMs < 0.25);
      leftMs -= 0.25;
      return leftMs <= 0;
    },
  };
}

test("however many large requests there are, one turn of the loop has one slice", async () => {
  const slicer = createTimeSlicer(systemClock);
  let turn = 0;
  let isOver = false;
  const count = (): void => {
    turn += 1;
    if (!isOver) setImmediate(count);
  };
  setImmediate(count);
  const turns = Array.from({ length: 10 }, () => new Set<number>());
  await Promise.all(
    turns.map(async (mine) => {
      const slices = slicer.open(1_000_000);
      const work = busyWork(9, mine, () => turn);
      assert.equal(slices.finishNow(work), false, "it waits for its turn");
      await slices.finish(work);
    }),
  );
  isOver = true;
  const all = turns.flatMap((mine) => [...mine]);
  assert.equal(new Set(all).size, all.length, "no turn had two");
  for (const mine of turns) assert.ok(mine.size >= 2, `${mine.size} slices`);
  const firstEnds = Math.min(...turns.map((mine) => Math.max(...mine)));
  const lastBegins = Math.max(...turns.map((mine) => Math.min(...mine)));
  assert.ok(lastBegins < firstEnds, "they take turns");
});

test("a small request is done at once", () => {
  const slices = createTimeSlicer(systemClock).open(1_000);
  let amount = 0;
  const isDone = slices.finishNow({
    step(most) {
      amount = most;
      return true;
    },
  });
  assert.deepEqual([isDone, amount], [true, Number.POSITIVE_INFINITY]);
});

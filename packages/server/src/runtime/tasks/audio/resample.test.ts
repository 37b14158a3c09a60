import assert from "node:assert/strict";
import { test } from "node:test";
import { resample } from "./resample.ts";

const sound = (rate: number, count: number) => ({ rate, samples: new Float32Array(count).fill(0.5) });

test("a sound of half the rate becomes twice as long, and keeps its level", () => {
  const out = resample(sound(8_000, 400), 16_000);
  assert.equal(out.length, 800);
  assert.ok(Math.abs(out[400]! - 0.5) < 1e-2);
});

test("a sound that says a second of it has one sample is refused before it becomes 16,000 times as long", () => {
  for (const [rate, count] of [
    [1, 2_000],
    [2, 1_500_000],
    [7_999, 2 ** 24],
  ] as const)
    assert.throws(
      () => resample(sound(rate, count), 16_000),
      /at 16000 samples a second it is longer than 16777216 samples/,
    );
});

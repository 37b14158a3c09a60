import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { ValueHistogram } from "./value-histogram.ts";

function histogramOf(...runs: readonly Float32Array[]): ValueHistogram {
  const histogram = new ValueHistogram();
  for (const run of runs) histogram.add(run);
  return histogram;
}

const numbers = fc
  .array(fc.float({ noNaN: true, noDefaultInfinity: true }), { minLength: 1, maxLength: 300 })
  .map((values) => Float32Array.from(values));
const percentile = fc.constantFrom(50.5, 80, 95, 99, 99.99, 100);

describe("ValueHistogram", () => {
  test("leaves out no more numbers at an end than asked for, and is at most a 64th wider than that", () => {
    fc.assert(
      fc.property(numbers, percentile, (values, percent) => {
        const { min, max } = histogramOf(values).range(percent);
        const sorted = values.toSorted();
        const cut = Math.floor((values.length * (100 - percent)) / 200);
        // The numbers at which exactly that many are left out.
        const [low, high] = [sorted[cut]!, sorted[sorted.length - 1 - cut]!];
        assert.ok(min <= low && max >= high, `${min} to ${max} instead of ${low} to ${high}`);
        const slack = (value: number): number => Math.abs(value) / 32 + 2 ** -126;
        assert.ok(min >= low - slack(low) && max <= high + slack(high));
        assert.ok(min >= sorted[0]! && max <= sorted.at(-1)!);
      }),
    );
  });

  test("runs add up to the same range in any order and number", () => {
    fc.assert(
      fc.property(numbers, numbers, percentile, (a, b, percent) => {
        const joined = histogramOf(Float32Array.from([...a, ...b])).range(percent);
        assert.deepEqual(histogramOf(a, b).range(percent), joined);
        assert.deepEqual(histogramOf(b, a).range(percent), joined);
      }),
    );
  });

  test("an outlier of any size costs the other numbers nothing", () => {
    const values = Float32Array.from({ length: 100_000 }, (_, i) => Math.sin(i));
    values[0] = 1e30;
    const { min, max } = histogramOf(values).range(99.99);
    assert.ok(min <= -0.999 && min >= -1 && max >= 0.999 && max <= 1.02, `${min} to ${max}`);
  });

  test("a NaN, or nothing, makes a range of NaNs; an infinity that is cut off does not", () => {
    const nothing = { min: Number.NaN, max: Number.NaN };
    assert.deepEqual(histogramOf().range(99), nothing);
    assert.deepEqual(histogramOf(Float32Array.of(1, Number.NaN), Float32Array.of(2)).range(60), nothing);
    const infinite = new Float32Array(1000).fill(-3).fill(3, 500);
    infinite[7] = Number.NEGATIVE_INFINITY;
    const { min, max } = histogramOf(infinite).range(99);
    assert.ok(min <= -3 && min > -3.04 && max === 3, `${min} to ${max}`);
    assert.ok(!Number.isFinite(histogramOf(infinite).range(100).min));
  });
});

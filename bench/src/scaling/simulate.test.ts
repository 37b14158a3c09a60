// Tests days of a fleet against what can be said without simulating them.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createRandom } from "@sconce/conformance/internals/random";
import { dailyLoad, herdLoad, spikyLoad } from "./load-shapes.ts";
import type { ServiceCurve } from "./service-curve.ts";
import { type Design, rateAtTarget, simulate } from "./simulate.ts";

const CURVE: ServiceCurve = [
  { inFlight: 1, perSecond: 100, p99Ms: 10 },
  { inFlight: 10, perSecond: 1_000, p99Ms: 10 },
];

function design(changes: Partial<Design["policy"]> = {}, more: Partial<Design> = {}): Design {
  return {
    curve: CURVE,
    policy: {
      minReplicas: 1,
      maxReplicas: 1_000,
      target: 5,
      up: { stabilizationS: 0, limits: [{ kind: "Percent", value: 100, periodS: 15 }] },
      down: { stabilizationS: 300, limits: [{ kind: "Percent", value: 25, periodS: 60 }] },
      ...changes,
    },
    sloMs: 50,
    queueSize: 100,
    startS: 20,
    drainS: 12,
    ...more,
  };
}

const steady = (perSecond: number, seconds: number) => new Float64Array(seconds).fill(perSecond);

describe("a simulated fleet", () => {
  test("under a steady load keeps the replicas that have the target in flight", () => {
    const { replicas, aboveSloS, lostShare } = simulate(steady(10_000, 3_600), design());
    assert.deepEqual(replicas, { least: 20, mean: 20, most: 20 });
    assert.deepEqual([aboveSloS, lostShare], [0, 0]);
  });

  test("grows after the decision and the start, and not before", () => {
    const load = steady(500, 600);
    // Twice what one replica can do; the wish at 315 is ready at 335.
    load.fill(2_000, 300);
    const { aboveSloS, replicas } = simulate(load, design());
    assert.ok(aboveSloS >= 35 && aboveSloS <= 120, `${aboveSloS}`);
    assert.ok(replicas.most >= 4);
    const slower = simulate(load, design({}, { startS: 120 }));
    assert.ok(slower.aboveSloS > aboveSloS + 90, `${slower.aboveSloS}`);
  });

  test("loses what finds no room in three tries, and nothing else", () => {
    const limited = design({ minReplicas: 1, maxReplicas: 1 });
    const { lostShare, aboveSloS, replicas } = simulate(steady(2_000, 3_600), limited);
    assert.ok(Math.abs(lostShare - 0.5) < 0.01, `${lostShare}`);
    assert.equal(aboveSloS, 3_600);
    assert.equal(replicas.most, 1);
    assert.equal(simulate(steady(900, 3_600), limited).lostShare, 0);
  });

  test("costs its replicas for every second, and those that go while they drain", () => {
    assert.equal(simulate(steady(10_000, 3_600), design()).replicaHours, 20);
    const load = steady(10_000, 7_200);
    load.fill(0, 3_600);
    const [fast, slow] = [12, 40].map((drainS) => simulate(load, design({}, { drainS })).replicaHours);
    assert.ok(Math.abs(slow! - fast! - (19 * 28) / 3600) < 1e-9);
  });

  test("the rate at a target lies on the curve", () => {
    assert.deepEqual(
      [0.5, 1, 5.5, 10, 20].map((target) => rateAtTarget(CURVE, target)),
      [50, 100, 550, 1_000, 1_000],
    );
  });

  test("a seed repeats a day, another one draws another", () => {
    for (const make of [dailyLoad, spikyLoad, herdLoad]) {
      const [one, again, other] = [1, 1, 2].map((seed) => make(1_000, createRandom(seed)));
      assert.deepEqual(one, again);
      assert.notDeepEqual(one, other);
      assert.ok(Math.max(...one!) > 900 && Math.max(...one!) < 1_200);
      assert.ok(Math.min(...one!) >= 0);
    }
  });
});

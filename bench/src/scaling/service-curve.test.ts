// Tests what is read out of a measured curve.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { pointAt, rateWithin, readCurve, replicasFor, type ServiceCurve } from "./service-curve.ts";

const CURVE: ServiceCurve = [
  { inFlight: 1, perSecond: 100, p99Ms: 10 },
  { inFlight: 4, perSecond: 300, p99Ms: 20 },
  { inFlight: 8, perSecond: 400, p99Ms: 40 },
];

function report(
  ...points: readonly (readonly [connections: number, perSecond: number, p99: number])[]
): string {
  const measurements = points.map(([connections, perSecond, p99]) => ({
    level: { kind: "closed", connections },
    perSecond,
    latencyMs: { p99 },
  }));
  return JSON.stringify({ measurements });
}

describe("a service curve", () => {
  test("is what sconce bench measured, as far as more connections gave more", () => {
    const curve = readCurve(report([8, 400, 40], [1, 100, 10], [4, 300, 9], [16, 380, 90], [32, 402, 200]));
    assert.deepEqual(curve, [CURVE[0], { ...CURVE[1], p99Ms: 10 }, CURVE[2]]);
    const open = {
      measurements: [{ level: { kind: "open", perSecond: 5 }, perSecond: 5, latencyMs: { p99: 1 } }],
    };
    assert.throws(() => readCurve(JSON.stringify(open)), /closed load/);
  });

  test("is straight between its points, and ends at the last", () => {
    assert.deepEqual(pointAt(CURVE, 50), { inFlight: 0.5, perSecond: 50, p99Ms: 10 });
    assert.deepEqual(pointAt(CURVE, 350), { inFlight: 6, perSecond: 350, p99Ms: 30 });
    assert.deepEqual(pointAt(CURVE, 1_000), CURVE[2]);
  });

  test("says how fast a replica is within an objective", () => {
    assert.deepEqual(
      [5, 10, 30, 40, 50].map((sloMs) => rateWithin(CURVE, sloMs)),
      [0, 100, 350, 400, 400],
    );
  });

  test("needs a replica more than the load, and more with headroom", () => {
    assert.equal(replicasFor(CURVE, 3_500, { sloMs: 30, headroom: 0 }), 11);
    assert.equal(replicasFor(CURVE, 3_500, { sloMs: 30, headroom: 0.5 }), 21);
    assert.throws(
      () => replicasFor(CURVE, 1, { sloMs: 5, headroom: 0 }),
      /over 5 ms already with 1 in flight/,
    );
  });
});

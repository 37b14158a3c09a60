// Tests the algorithm of Kubernetes' horizontal pod autoscaler as its documentation has it.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { Autoscaler, type AutoscalerPolicy, readPolicy } from "./autoscaler.ts";

const POLICY: AutoscalerPolicy = {
  minReplicas: 2,
  maxReplicas: 100,
  target: 10,
  up: { stabilizationS: 0, limits: [{ kind: "Percent", value: 100, periodS: 15 }] },
  down: { stabilizationS: 300, limits: [{ kind: "Percent", value: 25, periodS: 60 }] },
};

const at = (nowS: number, ready: number, inFlight: number, starting = 0) => ({
  nowS,
  ready,
  starting,
  inFlight,
});

describe("an autoscaler", () => {
  test("asks for as many replicas as bring each to the target", () => {
    assert.equal(new Autoscaler(POLICY).decide(at(0, 10, 150)), 15);
    assert.equal(new Autoscaler(POLICY).decide(at(0, 10, 155)), 16);
  });

  test("does nothing about a tenth more or less", () => {
    assert.equal(new Autoscaler(POLICY).decide(at(0, 10, 110)), 10);
    assert.equal(new Autoscaler(POLICY).decide(at(0, 10, 91)), 10);
  });

  test("stays between its least and most", () => {
    assert.equal(new Autoscaler({ ...POLICY, maxReplicas: 12 }).decide(at(0, 10, 500)), 12);
    assert.equal(new Autoscaler(POLICY).decide(at(0, 2, 0)), 2);
  });

  test("at most doubles in its period, counted from what there was at its beginning", () => {
    const scaler = new Autoscaler(POLICY);
    assert.equal(scaler.decide(at(0, 10, 1_000)), 20);
    assert.equal(scaler.decide(at(5, 10, 1_000, 10)), 20);
    assert.equal(scaler.decide(at(15, 10, 1_000, 10)), 40);
  });

  test("the most generous of several limits counts", () => {
    const limits = [...POLICY.up.limits, { kind: "Pods", value: 30, periodS: 15 }] as const;
    assert.equal(
      new Autoscaler({ ...POLICY, up: { stabilizationS: 0, limits } }).decide(at(0, 10, 1_000)),
      40,
    );
  });

  test("does not ask twice for replicas that are on their way", () => {
    assert.equal(new Autoscaler(POLICY).decide(at(0, 10, 200, 10)), 20);
    assert.equal(new Autoscaler(POLICY).decide(at(0, 10, 150, 10)), 20);
  });

  test("goes down to the highest wish of five minutes, by a quarter a minute", () => {
    const scaler = new Autoscaler(POLICY);
    assert.equal(scaler.decide(at(0, 40, 400)), 40);
    for (let nowS = 15; nowS <= 300; nowS += 15) assert.equal(scaler.decide(at(nowS, 40, 100)), 40);
    assert.equal(scaler.decide(at(315, 40, 100)), 30);
    assert.equal(scaler.decide(at(330, 30, 100)), 30);
    assert.equal(scaler.decide(at(375, 30, 100)), 22);
  });

  test("its policy is the manifest's", () => {
    const policy = readPolicy(
      readFileSync(new URL("../../../deploy/kubernetes/autoscaler.yaml", import.meta.url), "utf8"),
    );
    assert.deepEqual(policy.up, {
      stabilizationS: 0,
      limits: [{ kind: "Percent", value: 300, periodS: 15 }],
    });
    assert.deepEqual(policy.down, POLICY.down);
    assert.ok(policy.minReplicas >= 2 && policy.maxReplicas > policy.minReplicas && policy.target > 0);
  });
});

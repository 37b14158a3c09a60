import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { RolloutSettings } from "../../base/rollout.ts";
import { judgeRollout, type StepFigures } from "./judge-rollout.ts";
import { ROLLOUT_SETTINGS } from "./rollout.kit.ts";

/** `p95Ms` is what every request took. */
const side = (requests: number, failed = 0, p95Ms?: number) => ({
  requests,
  failed,
  p95Ms,
  slowerThan: (ms: number) => ((p95Ms ?? 0) > ms ? requests : 0),
});
const NOTHING = side(0);
const NONE = { equal: 0, differing: 0, failed: 0 };

function kindOf(figures: Partial<StepFigures>, settings: Partial<RolloutSettings> = {}): string {
  const verdict = judgeRollout(
    { ...ROLLOUT_SETTINGS, ...settings },
    { stable: NOTHING, candidate: NOTHING, compared: NONE, ...figures },
  );
  return verdict.kind === "bad" ? verdict.reason : verdict.kind;
}

describe("a step is", () => {
  test("open until the new version had enough requests, the shadow's among them", () => {
    assert.equal(kindOf({}), "open");
    assert.equal(kindOf({ candidate: side(99) }), "open");
    assert.equal(kindOf({ candidate: side(100) }), "good");
    assert.equal(kindOf({ candidate: side(40), compared: { equal: 59, differing: 0, failed: 0 } }), "open");
    assert.equal(kindOf({ candidate: side(40), compared: { equal: 59, differing: 1, failed: 0 } }), "good");
  });

  test("bad as soon as the failures cannot be mended by requests to come", () => {
    assert.equal(kindOf({ candidate: side(1, 1) }), "open");
    assert.equal(kindOf({ candidate: side(2, 2) }), "errors");
    assert.equal(kindOf({ candidate: side(100, 1) }), "good");
    assert.equal(kindOf({ candidate: side(1000, 10) }), "good");
    assert.equal(kindOf({ candidate: side(1000, 11) }), "errors");
    assert.equal(kindOf({ candidate: side(1, 1) }, { maxErrors: 0 }), "errors");
    assert.equal(kindOf({ compared: { equal: 0, differing: 0, failed: 2 } }), "errors");
  });

  test("not worse for failing as often as the old version", () => {
    assert.equal(kindOf({ stable: side(1000, 100), candidate: side(1000, 110) }), "good");
    assert.equal(kindOf({ stable: side(1000, 100), candidate: side(1000, 111) }), "errors");
  });

  test("bad when the latency is above the limit, once there are enough requests", () => {
    const stable = side(1000, 0, 100);
    assert.equal(kindOf({ stable, candidate: side(5, 0, 900) }), "open");
    // Six of a hundred are above the 95th percentile, whatever the others will be.
    assert.equal(kindOf({ stable, candidate: side(6, 0, 900) }), "latency");
    assert.equal(kindOf({ stable: side(99, 0, 100), candidate: side(99, 0, 900) }), "open");
    const waiting = { ...side(0), slowerThan: (ms: number) => (ms < 5000 ? 6 : 0) };
    assert.equal(kindOf({ stable, candidate: waiting }), "latency");
    assert.equal(kindOf({ stable, candidate: side(100, 0, 150) }), "good");
    assert.equal(kindOf({ stable, candidate: side(100, 0, 151) }), "latency");
    assert.equal(kindOf({ stable, candidate: side(100, 0, 900) }, { maxLatency: undefined }), "good");
    // What is small varies.
    assert.equal(kindOf({ stable: side(1000, 0, 1), candidate: side(100, 0, 11) }), "good");
    assert.equal(kindOf({ stable: side(1000, 0, 1), candidate: side(100, 0, 12) }), "latency");
    // Nobody knows what is usual.
    assert.equal(kindOf({ candidate: side(100, 0, 900) }), "good");
    assert.equal(kindOf({ candidate: side(100, 0, 51) }, { maxLatency: { ms: 50 } }), "latency");
  });

  test("bad when too many answers differ, where that is limited", () => {
    const compared = { equal: 990, differing: 11, failed: 0 };
    assert.equal(kindOf({ compared }), "good");
    assert.equal(kindOf({ compared }, { maxDiffering: 0.01 }), "differing");
    assert.equal(kindOf({ compared: { ...compared, differing: 10 } }, { maxDiffering: 0.01 }), "good");
    assert.equal(
      kindOf({ compared: { equal: 0, differing: 2, failed: 0 } }, { maxDiffering: 0.01 }),
      "differing",
    );
  });
});

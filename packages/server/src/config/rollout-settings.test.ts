import assert from "node:assert/strict";
import { test } from "node:test";
import { readRollout, readShare } from "./rollout-settings.ts";

test("every key has a default, and is read as people write it", () => {
  assert.equal(readRollout(undefined), undefined);
  const defaults = {
    shares: [0.05, 0.25, 0.5],
    windowMs: 60_000,
    minRequests: 100,
    by: "request",
    tenants: [],
    maxErrors: 0.01,
    maxLatency: { times: 1.5 },
    shadowShare: 0,
    tolerance: 1e-4,
    maxDiffering: undefined,
    promotion: "automatic",
    from: undefined,
  };
  assert.deepEqual(readRollout({}), defaults);
  const given = {
    share: "0%, 0.1,100 %",
    window: "1.5h",
    min_requests: "7",
    by: "tenant",
    tenants: "acme, ,initech",
    max_errors: "0",
    max_latency: "50ms",
    shadow: "10%",
    tolerance: "1e-3",
    max_differing: "2%",
    promotion: "manual",
    from: "1",
  };
  assert.deepEqual(readRollout(given), {
    shares: [0, 0.1, 1],
    windowMs: 5_400_000,
    minRequests: 7,
    by: "tenant",
    tenants: ["acme", "initech"],
    maxErrors: 0,
    maxLatency: { ms: 50 },
    shadowShare: 0.1,
    tolerance: 1e-3,
    maxDiffering: 0.02,
    promotion: "manual",
    from: "1",
  });
  assert.equal(readRollout({ max_latency: "none" })?.maxLatency, undefined);
  assert.deepEqual(readRollout({ max_latency: "120%" })?.maxLatency, { times: 1.2 });
  assert.equal(readShare(" 30% "), 0.3);
});

test("anything else is rejected, with the key", () => {
  for (const [given, words] of [
    [{ shares: "5%" }, /^rollout: unknown key "shares"; did you mean share\?$/],
    [{ share: "50%, 5%" }, /^rollout: share: each step has to be larger/],
    [{ share: "101%" }, /^rollout: share: expected a part/],
    [{ share: "" }, /^rollout: share: expected a part.*got ""$/],
    [
      { share: Array.from({ length: 21 }, (_, i) => `${i}%`).join(",") },
      /^rollout: share: at most 20 steps$/,
    ],
    [{ window: "0s" }, /^rollout: window/],
    [{ window: "169h" }, /^rollout: window: expected a duration up to 168h/],
    [{ min_requests: "0" }, /^rollout: min_requests/],
    [{ by: "header,tenant" }, /^rollout: by: expected request, tenant, header/],
    [{ max_latency: "0.9" }, /^rollout: max_latency/],
    [{ max_differing: "1%" }, /^rollout: max_differing: answers are compared where shadow is set/],
    [{ promotion: "auto" }, /^rollout: promotion: expected automatic, manual/],
    [{ from: "01" }, /^rollout: from/],
  ] as const)
    assert.throws(() => readRollout(given), {
      code: "invalid_argument",
      reason: "bad_option",
      message: words,
    });
});

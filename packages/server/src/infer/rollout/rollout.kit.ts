import type { RolloutSettings } from "../../base/rollout.ts";

/** A rollout in two steps, as the tests of this folder change it. */
export const ROLLOUT_SETTINGS: RolloutSettings = {
  shares: [0.1, 0.5],
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

import type { Distribution } from "./load-plan.ts";

const NONE: Distribution = { count: 0, p50: 0, p99: 0, max: 0 };

/** Exact percentiles of all samples, in milliseconds to three places. */
export function distributionOf(samples: readonly number[]): Distribution {
  if (samples.length === 0) return NONE;
  const sorted = Float64Array.from(samples).sort();
  const at = (share: number): number =>
    round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!);
  return { count: sorted.length, p50: at(0.5), p99: at(0.99), max: at(1) };
}

export function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}

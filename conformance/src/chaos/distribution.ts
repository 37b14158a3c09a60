import type { Distribution } from "./load-plan.ts";

const NONE: Distribution = { count: 0, p50: 0, p99: 0, max: 0 };

/** Exact percentiles of all samples, in milliseconds to three places. */
export function distributionOf(samples: readonly number[]): Distribution {
  if (samples.length === 0) return NONE;
  const sorted = Float64Array.from(samples).sort();
  const at = (share: number): number => sortedAt(sorted, share);
  return { count: sorted.length, p50: at(0.5), p99: at(0.99), max: at(1) };
}

/** The sample below which this share of them lies; 0 without samples. */
export function percentile(samples: readonly number[], share: number): number {
  return samples.length === 0 ? 0 : sortedAt(Float64Array.from(samples).sort(), share);
}

function sortedAt(sorted: Float64Array, share: number): number {
  return round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!);
}

export function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}

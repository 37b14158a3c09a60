import type { TenantUsage } from "../base/tenant-usage.ts";

/** A token bucket: `perSecond` requests on average, `burst` at once. */
export interface QuotaRate {
  readonly perSecond: number;
  readonly burst: number;
}

/** Requests per key. Keys are opaque; the empty key (no tenant in particular) is a key like any other. */
export interface Quota {
  /** Uses up one request of this key; returns 0, or, when there is none left, milliseconds until there is one. */
  take(key: string, nowMs: number): number;
  /** Of every key that asked, in the order in which they came first. */
  usage(nowMs: number): readonly TenantUsage[];
}

interface TokenBucket {
  tokens: number;
  updatedMs: number;
}

interface Count {
  requests: number;
  rejected: number;
}

/** Keys remembered at most. Forgetting the least recently used one gives it a full bucket again. */
const MOST_KEYS = 10_000;

/** `rateOf` gives a key's rate; undefined: unlimited. */
export function createQuota(rateOf: (key: string) => QuotaRate | undefined): Quota {
  const buckets = new Map<string, TokenBucket>();
  const counts = new Map<string, Count>();
  const countOf = (key: string): Count => {
    const known = counts.get(key);
    if (known !== undefined) return known;
    const count = { requests: 0, rejected: 0 };
    counts.set(key, count);
    if (counts.size > MOST_KEYS) counts.delete(counts.keys().next().value!);
    return count;
  };
  return {
    take(key, nowMs) {
      const count = countOf(key);
      count.requests += 1;
      const rate = rateOf(key);
      if (rate === undefined) return 0;
      const bucket = buckets.get(key) ?? { tokens: rate.burst, updatedMs: nowMs };
      buckets.delete(key);
      buckets.set(key, bucket);
      if (buckets.size > MOST_KEYS) buckets.delete(buckets.keys().next().value!);
      bucket.tokens = refilled(bucket, rate, nowMs);
      bucket.updatedMs = nowMs;
      if (bucket.tokens < 1) {
        count.rejected += 1;
        return ((1 - bucket.tokens) * 1000) / rate.perSecond;
      }
      bucket.tokens -= 1;
      return 0;
    },
    usage: (nowMs) =>
      Array.from(counts, ([tenant, { requests, rejected }]) => {
        const [rate, bucket] = [rateOf(tenant), buckets.get(tenant)];
        const available = rate && (bucket === undefined ? rate.burst : refilled(bucket, rate, nowMs));
        return { tenant, requests, rejected, rate, available: available && Math.floor(available) };
      }),
  };
}

function refilled(
  { tokens, updatedMs }: TokenBucket,
  { perSecond, burst }: QuotaRate,
  nowMs: number,
): number {
  return Math.min(burst, tokens + ((nowMs - updatedMs) * perSecond) / 1000);
}

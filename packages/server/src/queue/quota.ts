/** A token bucket: `perSecond` requests on average, `burst` at once. */
export interface QuotaRate {
  readonly perSecond: number;
  readonly burst: number;
}

/** Requests per key. Keys are opaque; the empty key (no tenant in particular) is a key like any other. */
export interface Quota {
  /** Uses up one request of this key; returns 0, or, when there is none left, milliseconds until there is one. */
  take(key: string, nowMs: number): number;
}

interface TokenBucket {
  tokens: number;
  updatedMs: number;
}

/** Keys remembered at most. Forgetting the least recently used one gives it a full bucket again. */
const MOST_KEYS = 10_000;

/** `rateOf` gives a key's rate; undefined: unlimited. */
export function createQuota(rateOf: (key: string) => QuotaRate | undefined): Quota {
  const buckets = new Map<string, TokenBucket>();
  return {
    take(key, nowMs) {
      const rate = rateOf(key);
      if (rate === undefined) return 0;
      const bucket = buckets.get(key) ?? { tokens: rate.burst, updatedMs: nowMs };
      buckets.delete(key);
      buckets.set(key, bucket);
      if (buckets.size > MOST_KEYS) buckets.delete(buckets.keys().next().value!);
      bucket.tokens = Math.min(
        rate.burst,
        bucket.tokens + ((nowMs - bucket.updatedMs) * rate.perSecond) / 1000,
      );
      bucket.updatedMs = nowMs;
      if (bucket.tokens < 1) return ((1 - bucket.tokens) * 1000) / rate.perSecond;
      bucket.tokens -= 1;
      return 0;
    },
  };
}

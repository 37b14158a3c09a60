import type { CancelSignal } from "../../base/call-signal.ts";
import type { Clock } from "../../base/clock.ts";
import type { Counter, Labels, Metrics } from "../../base/metrics.ts";
import type { Signature } from "../../base/signature.ts";
import type { CacheStore, StoreEntry } from "./cache-store.ts";
import type { MemoryCache } from "./memory-cache.ts";
import type { CachedResponse, CacheRequest, ResponseCache } from "./response-cache.ts";
import { decodeValue, encodeClaim, encodeValue, isClaim, type ValueContext } from "./stored-value.ts";

export interface SharedCacheOptions {
  /** Asked first. */
  readonly local: MemoryCache;
  readonly store: CacheStore;
  /** Begins every key in the store: equal for servers whose answers are equal. Undefined while that is not known. */
  identity(): string | undefined;
  readonly signature: Signature;
  /** How long an answer may be repeated. */
  readonly ttlMs: number;
  /** Shared by the servers; undefined: answers are trusted as far as the store is. */
  readonly secret: Buffer | undefined;
  /** Says which server has claimed a key. */
  readonly token: Uint8Array;
  readonly clock: Clock;
  readonly metrics: Metrics;
  /** The model's. */
  readonly labels: Labels;
}

/** What became of a look-up in the store. `skipped`: it was not asked. `waited`: found, once another server's run had ended. */
const RESULTS = ["hit", "waited", "miss", "corrupt", "failed", "skipped"] as const;
type Result = (typeof RESULTS)[number];

/** Equal requests of other servers wait so long at most for one that runs; of a server that died, its claim lasts no longer. */
const LONGEST_LEASE_MS = 2000;
const SHORTEST_LEASE_MS = 100;
/** A lease lasts as many times as long as the slowest of the latest runs. */
const LEASE_PER_RUN = 4;
const FIRST_POLL_MS = 1;
const LONGEST_POLL_MS = 20;

/** Answers in this process, and behind them in a store that servers share. Of equal requests on several servers, one runs. */
export class SharedCache implements ResponseCache {
  readonly #options: SharedCacheOptions;
  readonly #claim: Uint8Array;
  readonly #counters: Readonly<Record<Result, Counter>>;
  readonly #tooLarge: Counter;
  /** When the claim on a key was made, of runs under way. */
  readonly #claims = new Map<string, { readonly atMs: number; readonly leaseMs: number }>();
  #slowestMs = LONGEST_LEASE_MS / LEASE_PER_RUN;

  constructor(options: SharedCacheOptions) {
    this.#options = options;
    this.#claim = encodeClaim(options.token);
    const { metrics, labels } = options;
    const counters = RESULTS.map((result) => {
      const help = "Look-ups in the cache store, of what this server had not cached itself.";
      return [result, metrics.counter("sconce_cache_store_lookups_total", help, { ...labels, result })];
    });
    this.#counters = Object.fromEntries(counters) as Record<Result, Counter>;
    this.#tooLarge = metrics.counter(
      "sconce_cache_store_too_large_total",
      "Answers that were too large for the cache store.",
      labels,
    );
  }

  get(key: string, request: CacheRequest): CachedResponse | undefined | Promise<CachedResponse | undefined> {
    const { local, store, identity } = this.#options;
    const found = local.get(key);
    if (found !== undefined) return found;
    const prefix = identity();
    if (prefix !== undefined && store.isUsable) return this.#find(key, `${prefix}:${key}`, request);
    this.#counters.skipped.add(1);
    return undefined;
  }

  set(key: string, answer: CachedResponse): void {
    const { local, store, identity, ttlMs, clock } = this.#options;
    local.set(key, answer);
    const claim = this.#claims.get(key);
    this.#claims.delete(key);
    const prefix = identity();
    if (prefix === undefined || !store.isUsable) return;
    if (claim !== undefined) {
      this.#slowestMs = Math.max(clock.nowMs() - claim.atMs, this.#slowestMs * 0.9);
    }
    const storeKey = `${prefix}:${key}`;
    const bytes = encodeValue(answer, this.#context(storeKey), store.maxValueBytes);
    if (bytes !== undefined) {
      store.put(storeKey, bytes, ttlMs);
      return;
    }
    this.#tooLarge.add(1);
    if (claim !== undefined) store.remove(storeKey);
  }

  abandon(key: string): void {
    const { store, identity, clock } = this.#options;
    const claim = this.#claims.get(key);
    this.#claims.delete(key);
    // Later the claim may be another server's.
    if (claim === undefined || clock.nowMs() >= claim.atMs + claim.leaseMs / 2) return;
    store.remove(`${identity()}:${key}`);
  }

  async #find(key: string, storeKey: string, request: CacheRequest): Promise<CachedResponse | undefined> {
    const { clock, store } = this.#options;
    const leaseMs = this.#leaseMs();
    const endMs = clock.nowMs() + LONGEST_LEASE_MS;
    let pollMs = FIRST_POLL_MS;
    for (;;) {
      const atMs = clock.nowMs();
      const entry = await store.look(storeKey, { bytes: this.#claim, leaseMs });
      if (entry === undefined) return this.#count("failed");
      const isOthers = isClaim(entry.bytes);
      if (entry.isClaimed) this.#claims.set(key, { atMs, leaseMs });
      const isFree = entry.bytes.length === 0 || this.#isOwn(entry.bytes);
      if (isFree || (isOthers && entry.isClaimed)) return this.#count("miss");
      if (!isOthers) return this.#read(key, { storeKey, entry, request, isLate: pollMs > FIRST_POLL_MS });
      if (clock.nowMs() + pollMs > endMs || request.signal.aborted) return this.#count("miss");
      await pause(pollMs, clock, request.signal);
      pollMs = Math.min(LONGEST_POLL_MS, pollMs * 2);
    }
  }

  #read(
    key: string,
    {
      storeKey,
      entry,
      request,
      isLate,
    }: {
      readonly storeKey: string;
      readonly entry: StoreEntry;
      readonly request: CacheRequest;
      readonly isLate: boolean;
    },
  ): CachedResponse | undefined {
    const { local, store, signature, ttlMs } = this.#options;
    // It ended in the moment between the questions.
    if (entry.isClaimed) this.abandon(key);
    const found =
      entry.bytes.length > store.maxValueBytes
        ? undefined
        : decodeValue(entry.bytes, this.#context(storeKey), { signature, wanted: request.outputs });
    if (found === undefined) return this.#count("corrupt");
    local.set(key, found, Math.min(ttlMs, Math.max(0, entry.ttlMs)));
    this.#count(isLate ? "waited" : "hit");
    return found;
  }

  #count(result: Result): undefined {
    this.#counters[result].add(1);
    return undefined;
  }

  #isOwn(bytes: Uint8Array): boolean {
    return isClaim(bytes) && Buffer.compare(bytes, this.#claim) === 0;
  }

  #leaseMs(): number {
    const ms = Math.ceil(LEASE_PER_RUN * this.#slowestMs);
    return Math.min(LONGEST_LEASE_MS, Math.max(SHORTEST_LEASE_MS, ms));
  }

  #context(key: string): ValueContext {
    return { key, secret: this.#options.secret };
  }
}

/** Waits, but not for a request that nobody waits for any more. */
function pause(ms: number, clock: Clock, signal: CancelSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      cancel();
      signal.removeEventListener("abort", end);
      resolve();
    };
    const cancel = clock.after(ms, end);
    signal.addEventListener("abort", end);
  });
}

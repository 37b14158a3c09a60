import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { CallSignal } from "../../base/call-signal.ts";
import { createPrometheusMetrics } from "../../base/prometheus-metrics.ts";
import { ManualClock, ROW_SIGNATURE, turns } from "../../models/models.kit.ts";
import type { CacheStore, StoreClaim, StoreEntry } from "./cache-store.ts";
import { createMemoryCache } from "./memory-cache.ts";
import type { CachedResponse } from "./response-cache.ts";
import { SharedCache } from "./shared-cache.ts";

const TTL_MS = 1000;

/** A store in memory, for several servers. */
class SharedMemory implements CacheStore {
  readonly maxValueBytes = 4096;
  isUsable = true;
  looks = 0;
  readonly #clock: ManualClock;
  readonly #entries = new Map<string, { readonly bytes: Uint8Array; readonly endMs: number }>();

  constructor(clock: ManualClock) {
    this.#clock = clock;
  }

  async look(key: string, { bytes: claim, leaseMs }: StoreClaim): Promise<StoreEntry> {
    this.looks += 1;
    const entry = this.#entries.get(key);
    if (entry !== undefined && entry.endMs > this.#clock.nowMs())
      return { bytes: entry.bytes, ttlMs: entry.endMs - this.#clock.nowMs(), isClaimed: false };
    this.put(key, claim, leaseMs);
    return { bytes: new Uint8Array(0), ttlMs: -2, isClaimed: true };
  }

  put(key: string, bytes: Uint8Array, ttlMs: number): void {
    this.#entries.set(key, { bytes, endMs: this.#clock.nowMs() + ttlMs });
  }

  remove(key: string): void {
    this.#entries.delete(key);
  }
}

function responseOf(value: number, elements = 1): CachedResponse {
  const bytes = new Uint8Array(new Float32Array(elements).fill(value).buffer);
  const outputs = ["y", "z"].map((name) => ({
    name,
    datatype: "FP32" as const,
    shape: [elements, 1],
    bytes,
  }));
  return { outputs, parameters: new Map() };
}

function setUp() {
  const clock = new ManualClock();
  const store = new SharedMemory(clock);
  const server = (number: number, identity = "sconce:m"): SharedCache =>
    new SharedCache({
      local: createMemoryCache({ clock, maxBytes: 100_000, ttlMs: TTL_MS }),
      store,
      identity: () => identity || undefined,
      signature: ROW_SIGNATURE,
      ttlMs: TTL_MS,
      secret: undefined,
      token: new Uint8Array(16).fill(number),
      clock,
      metrics: createPrometheusMetrics(),
      labels: {},
    });
  return { clock, store, server, a: server(1), b: server(2) };
}

/** Runs of 5 ms each. */
async function runOften(clock: ManualClock, cache: SharedCache): Promise<void> {
  for (let i = 0; i < 40; i++) {
    await cache.get(`${i}`, request());
    await clock.advance(5);
    cache.set(`${i}`, responseOf(7));
  }
}

const request = () => ({ outputs: undefined, signal: new CallSignal() });

describe("a cache that servers share", () => {
  test("repeats an answer no longer than it may be repeated in all", async () => {
    const { clock, a, b } = setUp();
    assert.equal(await a.get("k", request()), undefined);
    a.set("k", responseOf(7));
    await clock.advance(TTL_MS - 10);
    assert.deepEqual(await b.get("k", request()), responseOf(7));
    await clock.advance(10);
    // In b's own memory, too, it is as old as in the store.
    assert.equal(await b.get("k", request()), undefined);
  });

  test("asks the store only for what is not in its own memory, and not before its model is known", async () => {
    const { store, a, server } = setUp();
    a.set("k", responseOf(7));
    await a.get("k", request());
    assert.equal(store.looks, 0);
    assert.equal(server(3, "").get("other", request()), undefined);
    store.isUsable = false;
    assert.equal(a.get("other", request()), undefined);
    assert.equal(store.looks, 0);
  });

  test("waits for the one that runs, and takes its place when it gives up", async () => {
    const { clock, a, b } = setUp();
    for (const [key, end] of [
      ["answered", () => a.set("answered", responseOf(7))],
      ["given up", () => a.abandon("given up")],
      ["too large", () => a.set("too large", responseOf(7, 1000))],
    ] as const) {
      await a.get(key, request());
      let found: CachedResponse | undefined | "waits" = "waits";
      void Promise.resolve(b.get(key, request())).then((given) => {
        found = given;
      });
      await clock.advance(50);
      assert.equal(found, "waits", key);
      end();
      await clock.advance(20);
      assert.deepEqual(found, key === "answered" ? responseOf(7) : undefined, key);
    }
  });

  test("waits for a server that died no longer than its claim lasts, whatever it says", async () => {
    const { clock, store, a, b } = setUp();
    await runOften(clock, a);
    await a.get("k", request());
    let isOver = false;
    void Promise.resolve(b.get("k", request())).then(() => {
      isOver = true;
    });
    await clock.advance(90);
    assert.equal(isOver, false);
    await clock.advance(100);
    assert.equal(isOver, true);
    // By now the claim is b's own: it does not wait for itself.
    assert.equal(await b.get("k", request()), undefined);
    const claim = (await store.look("sconce:m:k", { bytes: new Uint8Array(0), leaseMs: 1 })).bytes;
    store.put("sconce:m:long", claim, 1e9);
    let isLate = true;
    void Promise.resolve(a.get("long", request())).then(() => {
      isLate = false;
    });
    await clock.advance(2000);
    assert.equal(isLate, false);
  });

  test("claims for about as long as runs take", async () => {
    const { clock, store, a } = setUp();
    await runOften(clock, a);
    await a.get("k", request());
    const { ttlMs } = await store.look("sconce:m:k", { bytes: new Uint8Array(0), leaseMs: 1 });
    assert.ok(ttlMs >= 100 && ttlMs <= 150, `${ttlMs}`);
  });

  test("stops waiting when nobody waits for the answer", async () => {
    const { clock, a, b } = setUp();
    await a.get("k", request());
    const leaving = request();
    let isOver = false;
    void Promise.resolve(b.get("k", leaving)).then(() => {
      isOver = true;
    });
    await clock.advance(5);
    leaving.signal.abort(new Error("left"));
    await turns();
    await turns();
    assert.equal(isOver, true);
  });

  test("never hands out what belongs under another key, or to another model", async () => {
    const { store, a, b, server } = setUp();
    await a.get("k", request());
    a.set("k", responseOf(7));
    const { bytes } = await store.look("sconce:m:k", { bytes: new Uint8Array(0), leaseMs: 1 });
    store.put("sconce:m:l", bytes, TTL_MS);
    store.put("sconce:n:k", bytes, TTL_MS);
    assert.equal(await b.get("l", request()), undefined);
    assert.equal(await server(3, "sconce:n").get("k", request()), undefined);
    assert.deepEqual(await b.get("k", request()), responseOf(7));
  });
});

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { ServeError } from "../../base/errors.ts";
import type { InferRequest, ParameterValue } from "../../base/infer-request.ts";
import { submitTo } from "../../base/result-receiver.ts";
import type { Datatype } from "../../base/tensor.ts";
import { Timeline } from "../../base/timeline.ts";
import {
  candidateOf,
  ManualClock,
  requestOf,
  StubModel,
  silentLogger,
  turns,
} from "../../models/models.kit.ts";
import { cacheKey } from "./cache-key.ts";
import { createCachedModel } from "./cached-model.ts";
import { createMemoryCache } from "./memory-cache.ts";
import type { ResponseCache } from "./response-cache.ts";

function setUp(store?: ResponseCache) {
  const clock = new ManualClock();
  const inner = new StubModel(candidateOf("m"));
  const cache = store ?? createMemoryCache({ clock, maxBytes: 10_000, ttlMs: 100 });
  const lookups: boolean[] = [];
  const onLookup = (found: boolean): void => void lookups.push(found);
  const cached = createCachedModel(inner, { cache, clock, logger: silentLogger, onLookup });
  return { clock, inner, cached, lookups };
}

function ask(value: number, overrides: Partial<InferRequest> = {}): InferRequest {
  const bytes = new Uint8Array(new Float32Array([value]).buffer);
  const inputs = [{ name: "x", datatype: "FP32" as const, shape: [1, 1], bytes }];
  const timeline = new Timeline(0);
  timeline.enqueuedMs = 0;
  return requestOf("m", { inputs, timeline, ...overrides });
}

describe("answers are repeated", () => {
  test("for equal requests, each under its own id, with its own stamps", async () => {
    const { clock, inner, cached, lookups } = setUp();
    const first = submitTo(cached, ask(1, { id: "one" }));
    await turns();
    inner.answer();
    await first;
    await clock.advance(7);
    const request = ask(1, { id: "two" });
    const second = await submitTo(cached, request);
    assert.equal(inner.submitted, 1);
    assert.equal(second.id, "two");
    assert.deepEqual(second.outputs, (await first).outputs);
    const { claimedMs, dispatchedMs, answeredMs, computeMs } = request.timeline;
    assert.deepEqual([claimedMs, dispatchedMs, answeredMs, computeMs], [7, 7, 7, 0]);
    assert.deepEqual(lookups, [false, true]);
    const { cacheHit, cacheMiss, success } = cached.statistics();
    assert.deepEqual([cacheHit.count, cacheMiss.count, success.count], [1, 1, 1]);
  });

  test("until they are too old", async () => {
    const { clock, inner, cached } = setUp();
    const first = submitTo(cached, ask(1));
    await turns();
    inner.answer();
    await first;
    await clock.advance(99);
    await submitTo(cached, ask(1));
    await clock.advance(1);
    const late = submitTo(cached, ask(1));
    await turns();
    assert.equal(inner.submitted, 2);
    inner.answer();
    await late;
  });

  test("never for sequences", async () => {
    for (const name of ["sequence_id", "sequence_start", "sequence_end"]) {
      const { inner, cached } = setUp();
      for (let i = 1; i <= 2; i++) {
        const answer = submitTo(cached, ask(1, { parameters: new Map([[name, 7n]]) }));
        await turns();
        assert.equal(inner.submitted, i);
        inner.answer();
        await answer;
      }
    }
  });

  test("never for errors", async () => {
    const { inner, cached } = setUp();
    const failed = assert.rejects(submitTo(cached, ask(1)), { code: "unavailable" });
    await turns();
    inner.destroy("stopped");
    await failed;
    const again = submitTo(cached, ask(1));
    await turns();
    assert.equal(inner.submitted, 2);
    inner.answer();
    await again;
  });
});

describe("equal requests in flight", () => {
  test("share one run, in flight as long as they wait", async () => {
    const { inner, cached } = setUp();
    const answers = ["a", "b", "c"].map((id) => submitTo(cached, ask(1, { id })));
    await turns();
    assert.deepEqual([inner.submitted, cached.inFlight()], [1, 3]);
    inner.answer();
    const ids = (await Promise.all(answers)).map((answer) => answer.id);
    assert.deepEqual(ids.slice(1), ["b", "c"]);
    assert.equal(cached.inFlight(), 0);
  });

  test("a leader that leaves does not take the others with it", async () => {
    const { inner, cached } = setUp();
    const leaving = new AbortController();
    const original = inner.submit.bind(inner);
    inner.submit = (request, receiver) => {
      original(request, receiver);
      const handleEvent = (): void => receiver.reject(new ServeError("cancelled", "the client left"));
      request.signal.addEventListener("abort", { handleEvent });
    };
    const leader = assert.rejects(submitTo(cached, ask(1, { signal: leaving.signal })), {
      code: "cancelled",
    });
    const followers = [submitTo(cached, ask(1)), submitTo(cached, ask(1))];
    await turns();
    leaving.abort();
    await leader;
    await turns();
    assert.equal(inner.submitted, 2);
    inner.answer();
    await Promise.all(followers);
  });

  test("a follower leaves alone, and stops waiting at once", async () => {
    const { inner, cached } = setUp();
    const leader = submitTo(cached, ask(1));
    const leaving = new AbortController();
    const follower = assert.rejects(submitTo(cached, ask(1, { signal: leaving.signal })), {
      code: "cancelled",
    });
    await turns();
    leaving.abort();
    await follower;
    inner.answer();
    await leader;
  });

  test("the model's verdict counts for all; a lack of room only for the one who met it", async () => {
    for (const [code, runs] of [
      ["internal", 1],
      ["invalid_argument", 1],
      ["resource_exhausted", 3],
      ["deadline_exceeded", 3],
    ] as const) {
      const { inner, cached } = setUp();
      let submitted = 0;
      inner.submit = async (_request, receiver) => {
        submitted += 1;
        await turns();
        receiver.reject(new ServeError(code, "no"));
      };
      await Promise.all([1, 2, 3].map(() => assert.rejects(submitTo(cached, ask(1)), { code })));
      assert.equal(submitted, runs, code);
    }
  });

  test("closing waits for all of them, then closes the model", async () => {
    const { inner, cached } = setUp();
    const answers = [submitTo(cached, ask(1)), submitTo(cached, ask(1))];
    await turns();
    const closing = cached.close();
    await assert.rejects(submitTo(cached, ask(2)), { code: "unavailable", reason: "draining" });
    assert.equal(inner.closed, false);
    inner.answer();
    await Promise.all([...answers, closing, cached.close()]);
    assert.equal(inner.closed, true);
  });
});

test("a store elsewhere is waited for; one that fails is one that has nothing", async () => {
  const kept = new Map<string, unknown>();
  const slow: ResponseCache = {
    async get(key) {
      await turns();
      return kept.get(key) as Awaited<ReturnType<ResponseCache["get"]>>;
    },
    async set(key, answer) {
      kept.set(key, answer);
    },
  };
  const dead: ResponseCache = {
    get: () => Promise.reject(new Error("connection refused")),
    set: () => Promise.reject(new Error("connection refused")),
  };
  for (const [store, runs] of [
    [slow, 1],
    [dead, 2],
  ] as const) {
    const { inner, cached } = setUp(store);
    for (let i = 0; i < 2; i++) {
      const answer = submitTo(cached, ask(1));
      await turns();
      await turns();
      inner.answer();
      await answer;
    }
    assert.equal(inner.submitted, runs);
  }
});

describe("the memory cache", () => {
  const answerOf = (bytes: number) => ({
    outputs: [{ name: "y", datatype: "UINT8" as const, shape: [bytes], bytes: new Uint8Array(bytes) }],
    parameters: new Map<string, ParameterValue>(),
  });

  test("holds n bytes, and drops the least recently used for one more", () => {
    const cache = createMemoryCache({ clock: new ManualClock(), maxBytes: 2 * (512 + 100), ttlMs: 1 });
    cache.set("a", answerOf(100));
    cache.set("b", answerOf(100));
    assert.deepEqual([cache.size, cache.bytes], [2, 1224]);
    cache.get("a");
    cache.set("c", answerOf(1));
    assert.deepEqual(
      [cache.get("a") !== undefined, cache.get("b"), cache.get("c") !== undefined],
      [true, undefined, true],
    );
  });

  test("keeps an answer of exactly its size, not one byte more", () => {
    const cache = createMemoryCache({ clock: new ManualClock(), maxBytes: 512 + 100, ttlMs: 1 });
    for (const [bytes, size] of [
      [99, 1],
      [100, 1],
      [101, 0],
    ] as const) {
      cache.set("a", answerOf(bytes));
      assert.equal(cache.size, size, `${bytes}`);
    }
    assert.equal(cache.bytes, 0);
  });

  test("does not keep the block alive that an answer was cut from", () => {
    const cache = createMemoryCache({ clock: new ManualClock(), maxBytes: 10_000, ttlMs: 1 });
    const block = new Uint8Array(1_000_000);
    const output = { name: "y", datatype: "UINT8" as const, shape: [4], bytes: block.subarray(8, 12) };
    cache.set("a", { outputs: [output], parameters: new Map() });
    assert.equal(cache.get("a")!.outputs[0]!.bytes.buffer.byteLength, 4);
  });
});

const PARAMETERS = fc.dictionary(
  fc.constantFrom("a", "b", "ab"),
  fc.oneof(fc.boolean(), fc.nat(3), fc.constantFrom("0", "1", "true", "a1"), fc.bigInt(0n, 3n)),
);
const REQUEST = fc.record({
  name: fc.constantFrom("x", "y", "x1"),
  datatype: fc.constantFrom<Datatype>("UINT8", "INT8", "BOOL"),
  shape: fc.constantFrom([4], [2, 2], [1, 4], [4, 1]),
  bytes: fc.uint8Array({ minLength: 4, maxLength: 4, max: 1 }),
  outputs: fc.constantFrom(undefined, ["y"], ["z"], ["y", "z"], ["z", "y"], ["y,z"], ["*"]),
  parameters: PARAMETERS,
  version: fc.constantFrom("1", "11"),
  digest: fc.constantFrom("1", "d"),
  tenant: fc.constantFrom(undefined, "1", "11"),
});

const FIELDS = [
  "name",
  "datatype",
  "shape",
  "bytes",
  "outputs",
  "parameters",
  "version",
  "digest",
  "tenant",
] as const;

test("keys are equal exactly when nothing that an answer depends on differs", () => {
  const text = (value: object): string =>
    JSON.stringify(value, (_, item) =>
      typeof item === "bigint"
        ? `${item}n`
        : item instanceof Uint8Array
          ? [...item]
          : item === undefined
            ? null
            : item,
    );
  fc.assert(
    fc.property(REQUEST, REQUEST, fc.constantFrom(...FIELDS), (a, other, field) => {
      const b = { ...a, [field]: other[field] };
      const [keyA, keyB] = [a, b].map(
        ({ name, datatype, shape, bytes, outputs, parameters, version, digest, tenant }) => {
          const inputs = [{ name, datatype, shape, bytes }];
          const sorted = new Map(Object.entries(parameters).toReversed());
          return cacheKey(
            { name: "m", version, digest },
            requestOf("m", { inputs, outputs, parameters: sorted, tenant }),
          );
        },
      );
      const sort = (request: typeof a): object => ({
        ...request,
        parameters: Object.entries(request.parameters).sort(([x], [y]) => (x < y ? -1 : 1)),
      });
      assert.equal(keyA === keyB, text(sort(a)) === text(sort(b)));
    }),
    { numRuns: 2000 },
  );
});

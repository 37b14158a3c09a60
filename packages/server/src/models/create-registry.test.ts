import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ServeError } from "../base/errors.ts";
import { createRegistry } from "./create-registry.ts";
import type { ManagedRegistry, RegistryOptions } from "./managed-registry.ts";
import type { ModelCandidate } from "./model-candidate.ts";
import {
  candidateOf,
  ManualClock,
  requestOf,
  StubModel,
  scanOf,
  silentLogger,
  turns,
} from "./test-support.test.ts";
import { parseVersionPolicy, type VersionPolicy } from "./version-policy.ts";

const never = new AbortController().signal;

/** A registry whose loads end when the test says so. */
function setUp(options: Partial<RegistryOptions> = {}) {
  const clock = new ManualClock();
  const loads: {
    readonly candidate: ModelCandidate;
    readonly signal: AbortSignal;
    succeed(): StubModel;
    fail(reason: string): void;
  }[] = [];
  const stubs: StubModel[] = [];
  const registry = createRegistry({
    clock,
    logger: silentLogger,
    load: (candidate, signal) =>
      new Promise((resolve, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason));
        const take = () => loads.splice(loads.indexOf(load), 1);
        const load = {
          candidate,
          signal,
          succeed() {
            take();
            const stub = new StubModel(candidate);
            stubs.push(stub);
            resolve(stub);
            return stub;
          },
          fail(reason: string) {
            take();
            reject(new ServeError("failed_precondition", reason));
          },
        };
        loads.push(load);
      }),
    ...options,
  });
  return { clock, registry, loads, stubs };
}

function states(registry: ManagedRegistry): string[] {
  return registry
    .index()
    .map(({ name, version, state, reason }) => `${name}/${version} ${state} ${reason}`.trim());
}

describe("loading", () => {
  test("a failed or slow load leaves the others alone", async () => {
    const { registry, loads } = setUp();
    registry.apply(scanOf(candidateOf("bad"), candidateOf("good"), candidateOf("slow")));
    await turns();
    assert.equal(registry.isReady(), false);
    loads[0]!.fail("the file is broken");
    loads[0]!.succeed();
    await turns();
    assert.deepEqual(states(registry), [
      "bad/1 UNAVAILABLE the file is broken",
      "good/1 READY",
      "slow/1 LOADING loading",
    ]);
    assert.equal(registry.resolve("good", undefined).name, "good");
    assert.throws(() => registry.resolve("slow", undefined), { code: "unavailable", retryAfterMs: 1000 });
    assert.throws(() => registry.resolve("bad", "1"), { code: "unavailable", message: /the file is broken/ });
  });

  test("no more loads at once than allowed", async () => {
    const { registry, loads } = setUp({ concurrentLoads: 2 });
    registry.apply(scanOf(candidateOf("a"), candidateOf("b"), candidateOf("c")));
    await turns();
    assert.deepEqual(
      loads.map((load) => load.candidate.name),
      ["a", "b"],
    );
    loads[1]!.fail("no");
    await turns();
    assert.deepEqual(
      loads.map((load) => load.candidate.name),
      ["a", "c"],
    );
  });

  test("readiness: strict, settled, by name", async () => {
    const expected = { strict: false, settled: true, named: true } as const;
    for (const readiness of ["strict", "settled", "named"] as const) {
      const { registry, loads } = setUp({ readiness: readiness === "named" ? ["good"] : readiness });
      registry.apply(
        scanOf(candidateOf("bad"), candidateOf("good"), candidateOf("mar", { problem: "not served" })),
      );
      await turns();
      assert.equal(registry.isReady(), false);
      loads[1]!.succeed();
      loads[0]!.fail("broken");
      await turns();
      assert.equal(registry.isReady(), expected[readiness], readiness);
    }
  });

  test("a crash loop makes one model unhealthy and comes back by itself", async () => {
    const { registry, loads } = setUp();
    const events: string[] = [];
    registry.subscribe((entry) => events.push(`${entry.name} ${entry.state}`));
    registry.apply(scanOf(candidateOf("a"), candidateOf("b")));
    await turns();
    const a = loads[0]!.succeed();
    loads[0]!.succeed();
    await turns();
    a.fail("its workers keep dying");
    assert.throws(() => registry.resolve("a", undefined), { message: /its workers keep dying/ });
    assert.equal(registry.isReady(), false);
    assert.equal(registry.isModelReady("b", undefined), true);
    a.fail(undefined);
    assert.equal(registry.resolve("a", undefined), a);
    assert.deepEqual(events, ["a LOADING", "b LOADING", "a READY", "b READY", "a UNAVAILABLE", "a READY"]);
  });
});

describe("reloading", () => {
  async function serving(version = "1", options: Partial<RegistryOptions> = {}) {
    const all = setUp(options);
    all.registry.apply(scanOf(candidateOf("m", { version })));
    await turns();
    const old = all.loads[0]!.succeed();
    await turns();
    return { ...all, old };
  }

  test("the old instance serves until the new one is ready, then drains", async () => {
    const { registry, loads, old } = await serving();
    const answer = registry.resolve("m", undefined).submit(requestOf("m"));
    registry.apply(scanOf(candidateOf("m", { fingerprint: "b" })));
    await turns();
    assert.equal(registry.resolve("m", undefined), old);
    const next = loads[0]!.succeed();
    await turns();
    assert.equal(registry.resolve("m", undefined), next);
    assert.equal(old.closed, false);
    old.answer();
    assert.equal((await answer).id, "a");
    await turns();
    assert.equal(old.closed, true);
  });

  test("a failed load keeps the old one serving and says why; it is not tried again until the files change", async () => {
    const { registry, loads, old } = await serving();
    registry.apply(scanOf(candidateOf("m", { fingerprint: "b" })));
    await turns();
    loads[0]!.fail("an op is unknown");
    await turns();
    assert.equal(registry.resolve("m", undefined), old);
    assert.match(states(registry)[0]!, /^m\/1 READY .*does not load: an op is unknown$/);
    registry.apply(scanOf(candidateOf("m", { fingerprint: "b" })));
    await turns();
    assert.equal(loads.length, 0);
    registry.apply(scanOf(candidateOf("m", { fingerprint: "a" })));
    assert.deepEqual(states(registry), ["m/1 READY"]);
    registry.apply(scanOf(candidateOf("m", { fingerprint: "c" })));
    await turns();
    assert.equal(loads.length, 1);
  });

  test("a file that changes during its load is loaded as it is in the end", async () => {
    const { registry, loads, old } = await serving();
    registry.apply(scanOf(candidateOf("m", { fingerprint: "b" })));
    await turns();
    const first = loads[0]!;
    registry.apply(scanOf(candidateOf("m", { fingerprint: "c" })));
    await turns();
    assert.equal(first.signal.aborted, true);
    const late = first.succeed();
    const next = loads[0]!.succeed();
    await turns();
    assert.equal(registry.resolve("m", undefined), next);
    assert.deepEqual([old.closed, late.closed, next.closed], [true, false, false]);
  });

  test("a newer version takes over when it is ready; the old one serves if it fails", async () => {
    const { registry, loads, old } = await serving();
    registry.apply(scanOf(candidateOf("m"), candidateOf("m", { version: "2" })));
    await turns();
    assert.equal(registry.resolve("m", undefined), old);
    loads[0]!.fail("broken");
    await turns();
    assert.equal(registry.resolve("m", undefined), old);
    registry.apply(scanOf(candidateOf("m"), candidateOf("m", { version: "3" })));
    await turns();
    const next = loads[0]!.succeed();
    await turns();
    assert.equal(registry.resolve("m", undefined), next);
    assert.equal(old.closed, true);
    assert.deepEqual(states(registry), ["m/1 UNAVAILABLE a newer version took over", "m/3 READY"]);
  });

  test("files that are gone, broken or unreadable: only the first unloads", async () => {
    const { registry, old } = await serving();
    registry.apply(scanOf(candidateOf("m", { problem: "it cannot be read", unreadable: true })));
    assert.equal(registry.resolve("m", undefined), old);
    registry.apply(scanOf(candidateOf("m", { problem: "no model format", fingerprint: "x" })));
    assert.equal(registry.resolve("m", undefined), old);
    registry.apply({ candidates: [], problems: [], complete: false });
    assert.equal(registry.resolve("m", undefined), old);
    registry.apply(scanOf());
    await turns();
    assert.equal(old.closed, true);
    assert.throws(() => registry.resolve("m", undefined), { code: "not_found" });
    assert.deepEqual(states(registry), []);
  });

  test("what does not drain in time is ended", async () => {
    const { registry, old, clock } = await serving("1", { drainTimeoutMs: 100 });
    const refused = assert.rejects(old.submit(requestOf("m")), { code: "unavailable" });
    registry.apply(scanOf());
    await clock.advance(99);
    assert.equal(old.destroyed, false);
    await clock.advance(1);
    assert.equal(old.destroyed, true);
    await refused;
  });
});

test("the version policy decides what is loaded; every loaded version can be asked for", async () => {
  const policies = [
    [{ kind: "latest", count: 1 }, ["10"]],
    [{ kind: "latest", count: 2 }, ["9", "10"]],
    [{ kind: "all" }, ["2", "9", "10"]],
    [{ kind: "specific", versions: ["2", "9", "77"] }, ["2", "9"]],
  ] as const;
  for (const [policy, expected] of policies) {
    const { registry, loads } = setUp({ versionPolicy: () => policy });
    registry.apply(scanOf(...["2", "9", "10"].map((version) => candidateOf("m", { version }))));
    await turns();
    for (const load of [...loads]) load.succeed();
    await turns();
    assert.deepEqual(registry.readyVersions("m"), expected);
    assert.equal(registry.resolve("m", undefined).version, expected.at(-1));
    for (const version of expected) assert.equal(registry.resolve("m", version).version, version);
  }
});

test("a policy as people write it", () => {
  const cases = [
    ["latest", { kind: "latest", count: 1 }],
    ["latest:2", { kind: "latest", count: 2 }],
    [" all ", { kind: "all" }],
    ["3", { kind: "specific", versions: ["3"] }],
    ["1, 3", { kind: "specific", versions: ["1", "3"] }],
  ] as const;
  for (const [text, policy] of cases) assert.deepEqual(parseVersionPolicy(text), policy);
  for (const text of ["", "newest", "latest:0", "latest:", "1,,2", "01", "-1"]) {
    assert.throws(() => parseVersionPolicy(text), {
      code: "invalid_argument",
      message: /^version_policy: expected/,
    });
  }
});

test("a changed policy is followed; a broken one changes nothing", async () => {
  let policy: () => VersionPolicy = () => ({ kind: "latest", count: 1 });
  const { registry, loads } = setUp({ versionPolicy: () => policy() });
  const look = async (fingerprint: string): Promise<readonly string[]> => {
    registry.apply(scanOf(candidateOf("m"), candidateOf("m", { version: "2", fingerprint })));
    await turns();
    for (const load of [...loads]) load.succeed();
    await turns();
    return registry.readyVersions("m");
  };
  assert.deepEqual(await look("a"), ["2"]);
  policy = () => ({ kind: "all" });
  assert.deepEqual(await look("b"), ["1", "2"]);
  policy = () => {
    throw new ServeError("invalid_argument", "what?");
  };
  assert.deepEqual(await look("c"), ["1", "2"]);
  policy = () => ({ kind: "specific", versions: ["1"] });
  assert.deepEqual(await look("d"), ["1"]);
});

describe("explicit control", () => {
  test("only what is asked for is loaded, and unloading drains", async () => {
    const { registry, loads } = setUp({ explicit: { startup: ["a"] } });
    registry.apply(scanOf(candidateOf("a"), candidateOf("b")));
    await turns();
    assert.deepEqual(
      loads.map((load) => load.candidate.name),
      ["a"],
    );
    loads[0]!.succeed();
    const loaded = registry.loadModel("b", never);
    await turns();
    const b = loads[0]!.succeed();
    await loaded;
    assert.equal(registry.isReady(), true);
    const answer = b.submit(requestOf("b"));
    let done = false;
    const unloaded = registry.unloadModel("b", never).then(() => {
      done = true;
    });
    await turns();
    assert.equal(done, false);
    assert.deepEqual(states(registry), ["a/1 READY", "b/1 UNLOADING unloaded on request"]);
    b.answer();
    await answer;
    await unloaded;
    assert.deepEqual(states(registry), ["a/1 READY", "b/1 UNAVAILABLE unloaded on request"]);
    assert.equal(registry.isReady(), true);
  });

  test("a load that fails says why, keeps what serves, and may be repeated", async () => {
    const { registry, loads } = setUp({ explicit: { startup: [] } });
    registry.apply(scanOf(candidateOf("m"), candidateOf("n", { problem: "weights only" })));
    await assert.rejects(registry.loadModel("x", never), { code: "not_found" });
    await assert.rejects(registry.loadModel("n", never), {
      code: "failed_precondition",
      message: /weights only/,
    });
    for (const reason of ["first", "second"]) {
      const loaded = registry.loadModel("m", never);
      await turns();
      loads[0]!.fail(reason);
      await assert.rejects(loaded, {
        code: "failed_precondition",
        message: `model "m" did not load: version 1: ${reason}`,
      });
    }
    const loaded = registry.loadModel("m", never);
    await turns();
    const old = loads[0]!.succeed();
    await loaded;
    registry.apply(scanOf(candidateOf("m", { fingerprint: "b" })));
    await turns();
    assert.equal(loads.length, 0);
    const again = registry.loadModel("m", never);
    await turns();
    loads[0]!.fail("third");
    await assert.rejects(again, /third/);
    assert.equal(registry.resolve("m", undefined), old);
  });
});

describe("loading on first use", () => {
  const names = ["a", "b", "c"];
  const lazy = { lazy: true, maxLoadedModels: 2 };
  const all = scanOf(...names.map((name) => candidateOf(name)));

  test("one load for many requests; it ends what was used least recently", async () => {
    const { registry, loads, stubs, clock } = setUp(lazy);
    registry.apply(all);
    await turns();
    assert.equal(loads.length, 0);
    assert.equal(registry.isReady(), true);
    assert.equal(registry.isModelReady("a", undefined), true);
    const both = [registry.acquire("a", undefined, never), registry.acquire("a", "1", never)];
    await turns();
    assert.equal(loads.length, 1);
    const a = loads[0]!.succeed();
    assert.deepEqual(await Promise.all(both), [a, a]);
    const b = registry.acquire("b", undefined, never);
    await turns();
    loads[0]!.succeed();
    await b;
    registry.lookup("a", undefined);
    await clock.advance(1);
    const c = registry.acquire("c", undefined, never);
    await turns();
    loads[0]!.succeed();
    await c;
    assert.deepEqual(
      stubs.map((stub) => `${stub.name} ${stub.closed}`),
      ["a false", "b true", "c false"],
    );
    assert.match(states(registry)[1]!, /^b\/1 UNAVAILABLE unloaded to make room/);
  });

  test("what has requests in flight is never evicted; waiting ends with the request", async () => {
    const { registry, loads, clock } = setUp({ lazy: true, maxLoadedModels: 1 });
    registry.apply(all);
    const first = registry.acquire("a", undefined, never);
    await turns();
    const a = loads[0]!.succeed();
    const answer = (await first).submit(requestOf("a"));
    await clock.advance(1);
    const impatient = new AbortController();
    const left = registry.acquire("b", undefined, impatient.signal);
    const patient = registry.acquire("c", undefined, never);
    await turns();
    assert.equal(loads.length, 0);
    impatient.abort();
    await assert.rejects(left, { code: "cancelled" });
    assert.equal(a.closed, false);
    a.answer();
    await answer;
    await turns();
    assert.deepEqual(
      loads.map((load) => load.candidate.name),
      ["c"],
    );
    loads[0]!.succeed();
    assert.equal((await patient).name, "c");
  });

  test("two models that take turns in one place both answer", async () => {
    const { registry, loads, clock } = setUp({ lazy: true, maxLoadedModels: 1 });
    registry.apply(all);
    const answered: string[] = [];
    const use = async (name: string): Promise<void> => {
      const served = await registry.acquire(name, undefined, never);
      await served.submit(requestOf(name));
      answered.push(name);
    };
    const uses = Promise.all(["a", "b", "a", "b"].map(use));
    const loaded: StubModel[] = [];
    for (let i = 0; i < 20; i++) {
      await clock.advance(1);
      const load = loads[0];
      if (load !== undefined) loaded.push(load.succeed());
      await turns();
      for (const stub of loaded) stub.answer();
    }
    await uses;
    assert.deepEqual(answered, ["a", "a", "b", "b"]);
  });

  test("the memory budget counts what models really take; what can never fit is refused", async () => {
    const { registry, loads, stubs, clock } = setUp({ lazy: true, memoryBudgetBytes: 10 });
    const sizes = { a: 6, b: 5, c: 11 };
    registry.apply(scanOf(...Object.entries(sizes).map(([name, bytes]) => candidateOf(name, { bytes }))));
    for (const name of ["a", "b"]) {
      const acquired = registry.acquire(name, undefined, never);
      await turns();
      loads[0]!.succeed();
      await acquired;
      await clock.advance(1);
    }
    assert.deepEqual(
      stubs.map((stub) => stub.closed),
      [true, false],
    );
    await assert.rejects(registry.acquire("c", undefined, never), {
      code: "unavailable",
      message: /does not fit/,
    });
  });

  test("a failed load is not repeated for every request", async () => {
    const { registry, loads, clock } = setUp({ ...lazy, retryFailedMs: 100 });
    registry.apply(all);
    const first = registry.acquire("a", undefined, never);
    await turns();
    loads[0]!.fail("broken");
    await assert.rejects(first, { code: "unavailable", message: /broken/ });
    await clock.advance(99);
    await assert.rejects(registry.acquire("a", undefined, never), /broken/);
    assert.equal(loads.length, 0);
    await clock.advance(1);
    const again = registry.acquire("a", undefined, never);
    await turns();
    loads[0]!.succeed();
    await again;
  });

  test("a changed file replaces what is loaded, and only that", async () => {
    const { registry, loads } = setUp({ lazy: true, maxLoadedModels: 1 });
    registry.apply(all);
    const first = registry.acquire("a", undefined, never);
    await turns();
    const a = loads[0]!.succeed();
    await first;
    registry.apply(scanOf(candidateOf("a", { fingerprint: "b" }), candidateOf("b", { fingerprint: "b" })));
    await turns();
    assert.deepEqual(
      loads.map((load) => load.candidate.name),
      ["a"],
    );
    assert.equal(registry.resolve("a", undefined), a);
    const next = loads[0]!.succeed();
    await turns();
    assert.equal(registry.resolve("a", undefined), next);
  });

  test("a thousand models are listed without loading one", async () => {
    const { registry, loads } = setUp(lazy);
    registry.apply(scanOf(...Array.from({ length: 1000 }, (_, i) => candidateOf(`m${i}`))));
    assert.equal(registry.index().length, 1000);
    await turns();
    assert.equal(loads.length, 0);
  });
});

test("closing waits for requests in flight and gives loads back", async () => {
  const { registry, loads } = setUp();
  registry.apply(scanOf(candidateOf("a"), candidateOf("b")));
  await turns();
  const a = loads[0]!.succeed();
  await turns();
  const answer = a.submit(requestOf("a"));
  const loading = loads[0]!.signal;
  let closed = false;
  const closing = registry.close().then(() => {
    closed = true;
  });
  await turns();
  assert.equal(loading.aborted, true);
  assert.equal(closed, false);
  assert.throws(() => registry.resolve("a", undefined), { code: "unavailable" });
  a.answer();
  await answer;
  await closing;
  await registry.close();
});

// Tests create-registry.ts: loading on first use.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { submitTo } from "../base/result-receiver.ts";
import { candidateOf, requestOf, type StubModel, scanOf, turns } from "./models.kit.ts";
import { acquire, never, setUp, states } from "./registry-rig.kit.ts";

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
    const both = [acquire(registry, "a", undefined, never), acquire(registry, "a", "1", never)];
    await turns();
    assert.equal(loads.length, 1);
    const a = loads[0]!.succeed();
    assert.deepEqual(await Promise.all(both), [a, a]);
    const b = acquire(registry, "b", undefined, never);
    await turns();
    loads[0]!.succeed();
    await b;
    registry.lookup("a", undefined);
    await clock.advance(1);
    const c = acquire(registry, "c", undefined, never);
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
    const first = acquire(registry, "a", undefined, never);
    await turns();
    const a = loads[0]!.succeed();
    const answer = submitTo(await first, requestOf("a"));
    await clock.advance(1);
    const impatient = new AbortController();
    const left = acquire(registry, "b", undefined, impatient.signal);
    const patient = acquire(registry, "c", undefined, never);
    await turns();
    assert.equal(loads.length, 0);
    impatient.abort();
    await assert.rejects(left, { code: "cancelled" });
    assert.equal(registry.lookup("a", undefined), a);
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
      const served = await acquire(registry, name, undefined, never);
      await submitTo(served, requestOf(name));
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
      const acquired = acquire(registry, name, undefined, never);
      await turns();
      loads[0]!.succeed();
      await acquired;
      await clock.advance(1);
    }
    assert.deepEqual(
      stubs.map((stub) => stub.closed),
      [true, false],
    );
    await assert.rejects(acquire(registry, "c", undefined, never), {
      code: "unavailable",
      message: /does not fit/,
    });
  });

  test("a failed load is not repeated for every request", async () => {
    const { registry, loads, clock } = setUp({ ...lazy, retryFailedMs: 100 });
    registry.apply(all);
    const first = acquire(registry, "a", undefined, never);
    await turns();
    loads[0]!.fail("broken");
    await assert.rejects(first, { code: "unavailable", message: /broken/ });
    await clock.advance(99);
    await assert.rejects(acquire(registry, "a", undefined, never), /broken/);
    assert.equal(loads.length, 0);
    await clock.advance(1);
    const again = acquire(registry, "a", undefined, never);
    await turns();
    loads[0]!.succeed();
    await again;
  });

  test("a changed file replaces what is loaded, and only that", async () => {
    const { registry, loads } = setUp({ lazy: true, maxLoadedModels: 1 });
    registry.apply(all);
    const first = acquire(registry, "a", undefined, never);
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

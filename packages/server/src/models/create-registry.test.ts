import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { submitTo } from "../base/result-receiver.ts";
import { candidateOf, requestOf, scanOf, turns } from "./models.kit.ts";
import { never, setUp, states } from "./registry-rig.kit.ts";

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
    const answer = submitTo(b, requestOf("b"));
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

  test("a load that somebody's unload overtakes says so, unless the model is loaded again", async () => {
    const { registry, loads } = setUp({ explicit: { startup: [] } });
    registry.apply(scanOf(candidateOf("m")));
    const overtaken = registry.loadModel("m", never);
    await turns();
    await registry.unloadModel("m", never);
    await assert.rejects(overtaken, { code: "aborted", reason: "load_overtaken" });
    assert.equal(loads[0]!.signal.aborted, true);
    const first = registry.loadModel("m", never);
    await turns();
    void registry.unloadModel("m", never);
    const second = registry.loadModel("m", never);
    await turns();
    const m = loads.at(-1)!.succeed();
    await Promise.all([first, second]);
    assert.equal(registry.resolve("m", undefined), m);
  });

  test("a load that newer files overtake ends when those serve", async () => {
    const { registry, loads } = setUp({ explicit: { startup: [] } });
    registry.apply(scanOf(candidateOf("m")));
    const early = registry.loadModel("m", never);
    await turns();
    registry.apply(scanOf(candidateOf("m", { fingerprint: "b" })));
    const late = registry.loadModel("m", never);
    await turns();
    const m = loads.at(-1)!.succeed();
    await Promise.all([early, late]);
    assert.equal(registry.resolve("m", undefined), m);
    registry.apply(scanOf(candidateOf("m", { fingerprint: "c" })));
    const seen = registry.loadModel("m", never);
    await turns();
    registry.apply(scanOf(candidateOf("m", { fingerprint: "d" })));
    loads.at(-1)!.succeed();
    await turns();
    assert.equal(loads.at(-1)!.candidate.fingerprint, "d");
    const newest = loads.at(-1)!.succeed();
    await seen;
    assert.equal(registry.resolve("m", undefined), newest);
  });

  test("a load that waits when the server stops is not begun again", async () => {
    const { registry, loads } = setUp({ explicit: { startup: [] } });
    registry.apply(scanOf(candidateOf("m")));
    const loaded = registry.loadModel("m", never);
    await turns();
    await registry.close();
    await assert.rejects(loaded, { code: "unavailable", reason: "draining" });
    assert.ok(loads.every((load) => load.signal.aborted));
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

test("closing waits for requests in flight and gives loads back", async () => {
  const { registry, loads } = setUp();
  registry.apply(scanOf(candidateOf("a"), candidateOf("b")));
  await turns();
  const a = loads[0]!.succeed();
  await turns();
  const answer = submitTo(a, requestOf("a"));
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

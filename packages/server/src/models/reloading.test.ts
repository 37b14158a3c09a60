// Tests create-registry.ts: reloading.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { submitTo } from "../base/result-receiver.ts";
import type { RegistryOptions } from "./managed-registry.ts";
import { candidateOf, requestOf, scanOf, turns } from "./models.kit.ts";
import { setUp, states } from "./registry-rig.kit.ts";

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
    const answer = submitTo(registry.resolve("m", undefined), requestOf("m"));
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

  test("a load that failed because the disk did is tried again, though no file changed", async () => {
    const { registry, loads, old, clock } = await serving("1", { retryFailedMs: 100 });
    const again = scanOf(candidateOf("m", { fingerprint: "b" }));
    registry.apply(again);
    await turns();
    loads[0]!.fail("model.pt2 cannot be read: the disk reports a read error", "unavailable");
    await turns();
    registry.apply(again);
    await turns();
    assert.equal(loads.length, 0, "not at once");
    await clock.advance(100);
    registry.apply(again);
    await turns();
    assert.equal(registry.resolve("m", undefined), old);
    const next = loads[0]!.succeed();
    await turns();
    assert.equal(registry.resolve("m", undefined), next);
    assert.deepEqual(states(registry), ["m/1 READY"]);
  });

  test("a first load that failed because the disk did is tried again", async () => {
    const { registry, loads, clock } = setUp({ retryFailedMs: 100 });
    const scan = scanOf(candidateOf("m"));
    registry.apply(scan);
    await turns();
    loads[0]!.fail("model.pt2 cannot be read: the disk reports a read error", "unavailable");
    await turns();
    await clock.advance(100);
    registry.apply(scan);
    await turns();
    loads[0]!.succeed();
    await turns();
    assert.deepEqual(states(registry), ["m/1 READY"]);
  });

  test("a broken version that is taken away leaves the index", async () => {
    const { registry, loads } = await serving();
    const broken = candidateOf("m", { version: "2" });
    registry.apply(scanOf(candidateOf("m"), broken));
    await turns();
    loads[0]!.fail("an op is unknown");
    await turns();
    assert.equal(states(registry).length, 2);
    registry.apply(scanOf(candidateOf("m")));
    assert.deepEqual(states(registry), ["m/1 READY"]);
  });

  test("a version that is gone from the disk is forgotten once its last request is answered, and not before", async () => {
    const forgotten: string[] = [];
    const onForgotten = (model: string, version: string): void => void forgotten.push(`${model}/${version}`);
    const { registry, loads, old } = await serving("1", { onForgotten });
    const answer = submitTo(registry.resolve("m", undefined), requestOf("m"));
    registry.apply(scanOf(candidateOf("m", { version: "2" })));
    await turns();
    loads[0]!.succeed();
    await turns();
    assert.deepEqual(forgotten, []);
    old.answer();
    await answer;
    await turns();
    assert.deepEqual(forgotten, ["m/1"]);
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

  test("an old version with a long queue answers all of it, however long that takes", async () => {
    const { registry, loads, old, clock } = await serving("1", { drainTimeoutMs: 100 });
    const answers = [1, 2, 3].map(() => submitTo(registry.resolve("m", undefined), requestOf("m")));
    registry.apply(scanOf(candidateOf("m", { fingerprint: "b" })));
    await turns();
    loads[0]!.succeed();
    await turns();
    for (let i = 0; i < answers.length; i++) {
      await clock.advance(99);
      old.answer(1);
    }
    assert.deepEqual(
      (await Promise.all(answers)).map(({ id }) => id),
      ["a", "a", "a"],
    );
    await turns();
    assert.deepEqual([old.closed, old.destroyed], [true, false]);
  });

  test("what does not drain in time is ended", async () => {
    const { registry, old, clock } = await serving("1", { drainTimeoutMs: 100 });
    const refused = assert.rejects(submitTo(old, requestOf("m")), { code: "unavailable" });
    registry.apply(scanOf());
    await clock.advance(99);
    assert.equal(old.destroyed, false);
    await clock.advance(1);
    assert.equal(old.destroyed, true);
    await refused;
  });
});

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { RegistryOptions } from "./managed-registry.ts";
import type { ModelCandidate } from "./model-candidate.ts";
import { candidateOf, scanOf, turns } from "./models.kit.ts";
import { never, setUp, states } from "./registry-rig.kit.ts";

const VERSIONS = ["1", "2", "3"].map((version) => candidateOf("m", { version, fingerprint: version }));
const [one, two, three] = VERSIONS as [ModelCandidate, ModelCandidate, ModelCandidate];
const TRIES: Partial<RegistryOptions> = { trials: () => ({ from: undefined }) };

/** Version 1 serves, 2 comes. */
async function trying(options: Partial<RegistryOptions> = TRIES) {
  const rig = setUp(options);
  rig.registry.apply(scanOf(one));
  await turns();
  rig.loads[0]!.succeed();
  await turns();
  rig.registry.apply(scanOf(one, two));
  await turns();
  return rig;
}

describe("a version on trial", () => {
  test("loads beside the one that serves, and takes no request that names no version", async () => {
    const { registry, loads } = await trying();
    assert.equal(registry.trial("m")?.candidateHandle, undefined);
    loads[0]!.succeed();
    await turns();
    const { stable, candidate, candidateHandle } = registry.trial("m")!;
    assert.deepEqual([stable, candidate, candidateHandle?.version], ["1", "2", "2"]);
    assert.equal(registry.resolve("m", undefined).version, "1");
    assert.equal(registry.resolve("m", "2").version, "2");
    registry.noteTrial("m", "rollout: 5%");
    assert.deepEqual(states(registry), ["m/1 READY", "m/2 READY rollout: 5%"]);
    assert.throws(() => registry.setDefaultVersion("m", "2"), { reason: "rollout_refused" });
  });

  test("takes over when it is promoted, and the old one drains", async () => {
    const { registry, loads, stubs } = await trying();
    loads[0]!.succeed();
    await turns();
    registry.endTrial("m", { kind: "promoted" });
    await turns();
    assert.equal(registry.resolve("m", undefined).version, "2");
    assert.equal(stubs[0]!.closed, true);
    assert.deepEqual(states(registry), ["m/1 UNAVAILABLE a newer version took over", "m/2 READY"]);
  });

  test("that did not pass is unloaded, and tried again only when its files change", async () => {
    const { registry, loads, stubs } = await trying();
    loads[0]!.succeed();
    await turns();
    registry.endTrial("m", { kind: "held_back", reason: "rolled back: it is slow" });
    await turns();
    assert.equal(stubs[1]!.closed, true);
    assert.deepEqual(states(registry), ["m/1 READY", "m/2 UNAVAILABLE rolled back: it is slow"]);
    registry.apply(scanOf(one, two));
    await turns();
    assert.deepEqual([loads.length, registry.trial("m")], [0, undefined]);
    registry.apply(scanOf(one, { ...two, fingerprint: "other" }));
    await turns();
    assert.deepEqual([loads.length, registry.trial("m")?.candidate], [1, "2"]);
    loads[0]!.succeed();
    await turns();
    assert.equal(registry.resolve("m", undefined).version, "1");
  });

  test("stays loaded under policy all when it did not pass, for who names it", async () => {
    const { registry, loads } = await trying({ ...TRIES, versionPolicy: () => ({ kind: "all" }) });
    loads[0]!.succeed();
    await turns();
    registry.endTrial("m", { kind: "held_back", reason: "rolled back: it is slow" });
    await turns();
    assert.equal(registry.resolve("m", undefined).version, "1");
    assert.deepEqual(states(registry), ["m/1 READY", "m/2 READY rolled back: it is slow"]);
  });

  test("never serves in place of a version that failed, once it did not pass", async () => {
    const { registry, loads, stubs } = await trying({ ...TRIES, versionPolicy: () => ({ kind: "all" }) });
    loads[0]!.succeed();
    await turns();
    stubs[0]!.fail("crash loop");
    // While it is on trial it is better than nothing.
    assert.equal(registry.resolve("m", undefined).version, "2");
    registry.endTrial("m", { kind: "held_back", reason: "it is slow" });
    assert.throws(() => registry.resolve("m", undefined), { code: "unavailable" });
  });

  test("gives way to a still newer one, tried against the same old one", async () => {
    const { registry, loads, stubs } = await trying();
    loads[0]!.succeed();
    await turns();
    registry.apply(scanOf(one, two, three));
    await turns();
    const { stable, candidate } = registry.trial("m")!;
    assert.deepEqual([stable, candidate], ["1", "3"]);
    loads[0]!.succeed();
    await turns();
    assert.equal(stubs[1]!.closed, true);
    assert.equal(registry.resolve("m", undefined).version, "1");
  });

  test("whose files go is on trial no more", async () => {
    const { registry, loads } = await trying();
    loads[0]!.succeed();
    await turns();
    registry.apply(scanOf(one));
    await turns();
    assert.equal(registry.trial("m"), undefined);
    assert.equal(registry.resolve("m", undefined).version, "1");
  });

  test("outlives the files of the old one", async () => {
    const { registry, loads, stubs } = await trying();
    loads[0]!.succeed();
    await turns();
    registry.apply(scanOf(two));
    await turns();
    assert.equal(registry.resolve("m", undefined).version, "1");
    registry.endTrial("m", { kind: "held_back", reason: "it is slow" });
    await turns();
    assert.equal(registry.resolve("m", undefined).version, "1");
    assert.equal(stubs[0]!.closed, false);
  });

  test("that does not load is said to have failed, also by the load that asked for it", async () => {
    const rig = setUp({ ...TRIES, explicit: { startup: [] } });
    rig.registry.apply(scanOf(one));
    const first = rig.registry.loadModel("m", never);
    await turns();
    rig.loads[0]!.succeed();
    await first;
    rig.registry.apply(scanOf(one, two));
    assert.equal(rig.registry.trial("m")?.failure, undefined);
    const second = rig.registry.loadModel("m", never);
    await turns();
    rig.registry.watch(() => {
      if (rig.registry.trial("m")?.failure !== undefined)
        rig.registry.endTrial("m", { kind: "held_back", reason: "it did not load" });
    });
    rig.loads[0]!.fail("an op is unknown");
    await assert.rejects(second, { reason: "load_failed", message: /version 2/ });
    assert.equal(rig.registry.resolve("m", undefined).version, "1");
  });
});

describe("a start that finds both", () => {
  const both = async (from: string | undefined) => {
    const rig = setUp({ trials: () => ({ from }), versionPolicy: () => ({ kind: "latest", count: 1 }) });
    rig.registry.apply(scanOf(one, two));
    await turns();
    return rig;
  };

  test("serves the newest one where nothing says which is the old one", async () => {
    const { registry, loads } = await both(undefined);
    assert.deepEqual([loads.length, registry.trial("m")], [1, undefined]);
    const gone = await both("7");
    assert.equal(gone.registry.trial("m"), undefined);
  });

  test("waits for the old one where that is named, however fast the new one loads", async () => {
    const { registry, loads } = await both("1");
    assert.equal(loads.length, 2);
    loads.find(({ candidate }) => candidate.version === "2")!.succeed();
    await turns();
    assert.throws(() => registry.resolve("m", undefined), { code: "unavailable" });
    loads[0]!.succeed();
    await turns();
    assert.equal(registry.resolve("m", undefined).version, "1");
  });

  test("serves the new one when the old one does not load", async () => {
    const { registry, loads } = await both("1");
    loads.find(({ candidate }) => candidate.version === "2")!.succeed();
    loads.find(({ candidate }) => candidate.version === "1")!.fail("broken");
    await turns();
    assert.equal(registry.resolve("m", undefined).version, "2");
  });
});

test("a trial by request needs a version that serves, another one, and a policy that wants it", async () => {
  const { registry, loads } = await trying({
    versionPolicy: () => ({ kind: "specific", versions: ["1", "2"] }),
  });
  registry.apply(scanOf(one, two, three));
  await turns();
  for (const load of [...loads]) load.succeed();
  await turns();
  assert.equal(registry.resolve("m", undefined).version, "2");
  assert.throws(() => registry.beginTrial("m", "2"), {
    reason: "rollout_refused",
    message: /is the one that serves/,
  });
  assert.throws(() => registry.beginTrial("m", "3"), {
    reason: "rollout_refused",
    message: /version_policy/,
  });
  assert.throws(() => registry.beginTrial("m", "9"), { code: "not_found" });
  // Back to an older one is a rollout as well.
  registry.beginTrial("m", "1");
  registry.endTrial("m", { kind: "promoted" });
  assert.equal(registry.resolve("m", undefined).version, "1");
});

test("models that load on first use are not tried: they have one version in memory", async () => {
  const { registry, loads } = setUp({ ...TRIES, lazy: true });
  registry.apply(scanOf(one));
  const first = registry.waitForLoad("m", undefined, never);
  await turns();
  loads[0]!.succeed();
  await first;
  registry.apply(scanOf(one, two));
  assert.equal(registry.trial("m"), undefined);
  assert.throws(() => registry.beginTrial("m", "2"), {
    reason: "rollout_refused",
    message: /--lazy-loading/,
  });
});

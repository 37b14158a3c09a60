import assert from "node:assert/strict";
import { test } from "node:test";
import { ServeError } from "../base/errors.ts";
import { candidateOf, scanOf, turns } from "./models.kit.ts";
import { setUp } from "./registry-rig.kit.ts";
import { parseVersionPolicy, type VersionPolicy } from "./version-policy.ts";

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

test("a policy that the disk did not give is read again at the next look, though no file changed", async () => {
  let policy: () => VersionPolicy = () => {
    throw new ServeError("unavailable", "model.yaml cannot be read: the disk reports a read error");
  };
  const { registry, loads } = setUp({ versionPolicy: () => policy() });
  const look = async (): Promise<readonly string[]> => {
    registry.apply(scanOf(candidateOf("m"), candidateOf("m", { version: "2" })));
    await turns();
    for (const load of [...loads]) load.succeed();
    await turns();
    return registry.readyVersions("m");
  };
  assert.deepEqual(await look(), ["2"]);
  policy = () => ({ kind: "all" });
  assert.deepEqual(await look(), ["1", "2"]);
});

test("the version that was chosen answers while it is ready, whatever is newer", async () => {
  const { registry, loads } = setUp({ versionPolicy: () => ({ kind: "all" }) });
  registry.apply(scanOf(...["1", "2"].map((version) => candidateOf("m", { version }))));
  await turns();
  for (const load of [...loads]) load.succeed();
  await turns();
  registry.setDefaultVersion("m", "1");
  assert.equal(registry.resolve("m", undefined).version, "1");
  assert.throws(() => registry.setDefaultVersion("m", "3"), { code: "not_found" });
  await registry.unloadModel("m", new AbortController().signal, "1");
  assert.equal(registry.resolve("m", undefined).version, "2");
  assert.throws(() => registry.setDefaultVersion("nobody", "1"), { code: "not_found" });
});

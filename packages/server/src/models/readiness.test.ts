import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Logger } from "../base/logger.ts";
import { candidateOf, scanOf, silentLogger, turns } from "./models.kit.ts";
import { never, setUp } from "./registry-rig.kit.ts";

const broken = { problem: "the file is empty" };

describe("strict readiness", () => {
  test("a model with a problem is not ready; what nobody meant as a model does not matter", async () => {
    for (const [overrides, ready] of [
      [broken, false],
      [{ ...broken, looksLikeModel: false }, true],
    ] as const) {
      const { registry, loads } = setUp();
      registry.apply(scanOf(candidateOf("good"), candidateOf("other", overrides)));
      await turns();
      loads[0]!.succeed();
      await turns();
      assert.equal(registry.isReady(), ready);
    }
  });

  test("a broken version beside one that serves is listed, and the server ready", async () => {
    const { registry, loads } = setUp();
    registry.apply(scanOf(candidateOf("m"), candidateOf("m", { version: "2", ...broken })));
    await turns();
    loads[0]!.succeed();
    await turns();
    assert.equal(registry.isReady(), true);
    registry.apply(scanOf(candidateOf("m", { fingerprint: "b", ...broken })));
    assert.equal(registry.isReady(), true);
  });

  test("a model whose broken files are deleted is not waited for any more", async () => {
    const { registry, loads } = setUp();
    registry.apply(scanOf(candidateOf("good"), candidateOf("bad", broken)));
    await turns();
    loads[0]!.succeed();
    await turns();
    assert.equal(registry.isReady(), false);
    registry.apply(scanOf(candidateOf("good")));
    assert.equal(registry.isReady(), true);
  });

  test("a path that could not be listed may hold models; once it was, a fault takes nothing away", async () => {
    const { registry, loads } = setUp();
    const cut = { ...scanOf(candidateOf("good")), complete: false };
    registry.apply(cut);
    await turns();
    loads[0]!.succeed();
    await turns();
    assert.equal(registry.isReady(), false);
    registry.apply({ ...cut, complete: true });
    assert.equal(registry.isReady(), true);
    registry.apply(cut);
    assert.equal(registry.isReady(), true);
  });

  test("explicit: nothing asked for is ready; a model to load at the start that is missing is not", async () => {
    const { registry } = setUp({ explicit: { startup: [] } });
    registry.apply(scanOf(candidateOf("bad", broken)));
    await turns();
    assert.equal(registry.isReady(), true);
    const counting = setUp({ explicit: { startup: ["late"] } });
    counting.registry.apply(scanOf());
    await turns();
    assert.equal(counting.registry.isReady(), false);
    counting.registry.apply(scanOf(candidateOf("late")));
    const loading = counting.registry.loadModel("late", never);
    await turns();
    counting.loads[0]!.succeed();
    await loading;
    assert.equal(counting.registry.isReady(), true);
    await counting.registry.unloadModel("late", never);
    assert.equal(counting.registry.isReady(), true);
  });
});

test("what a scan finds wrong is a warning, once", async () => {
  const lines: string[] = [];
  const logger: Logger = {
    ...silentLogger,
    warn: (fields, message) => lines.push(`${JSON.stringify(fields)} ${message}`),
  };
  const { registry } = setUp({ logger });
  const bad = candidateOf("bad", broken);
  registry.apply(scanOf());
  registry.apply(scanOf(bad, candidateOf("notes", { ...broken, looksLikeModel: false })));
  registry.apply(scanOf(bad));
  registry.apply(scanOf(bad, candidateOf("odd", { remark: "config.pbtxt is not read" })));
  assert.deepEqual(lines, [
    "{} there is no model to serve: not ready (unless started with --allow-empty)",
    '{"model":"bad","version":"1"} the model cannot be served: the file is empty',
    '{"model":"odd","version":"1"} config.pbtxt is not read',
  ]);
});

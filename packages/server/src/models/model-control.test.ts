import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ServeError } from "../base/errors.ts";
import { createRegistry } from "./create-registry.ts";
import type { ModelCandidate, ScanResult } from "./model-candidate.ts";
import { createModelControl, type ModelControlMode } from "./model-control.ts";
import { candidateOf, ManualClock, StubModel, scanOf, silentLogger, turns } from "./models.kit.ts";
import { createScanSettler } from "./settle-scan.ts";

function never(): AbortSignal {
  return new AbortController().signal;
}

function setUp(mode: ModelControlMode) {
  const clock = new ManualClock();
  const stubs: StubModel[] = [];
  let scans = 0;
  let onLoad = (): void => {};
  let disk: ScanResult = scanOf(candidateOf("m"));
  const registry = createRegistry({
    clock,
    logger: silentLogger,
    ...(mode.kind === "explicit" ? { explicit: { startup: [] } } : {}),
    load: async (candidate) => {
      onLoad();
      const stub = new StubModel(candidate);
      stubs.push(stub);
      return stub;
    },
  });
  const repository = {
    async scan() {
      scans += 1;
      await turns();
      return disk;
    },
  };
  const control = createModelControl({ mode, repository, registry, clock });
  const write = (...candidates: readonly ModelCandidate[]): void => {
    disk = scanOf(...candidates);
  };
  /** A look that could list no path as a whole. */
  const cut = (...candidates: readonly ModelCandidate[]): void => {
    disk = { ...scanOf(...candidates), complete: false };
  };
  const serving = (): string =>
    (registry.lookup("m", undefined) as StubModel | undefined)?.fingerprint ?? "nothing";
  const setOnLoad = (next: () => void): void => {
    onLoad = next;
  };
  return { clock, registry, control, stubs, write, cut, serving, scans: () => scans, onLoad: setOnLoad };
}

describe("poll", () => {
  async function started() {
    const all = setUp({ kind: "poll", intervalMs: 100 });
    await all.control.start();
    await turns();
    const look = async (): Promise<string> => {
      await all.clock.advance(100);
      await turns();
      await turns();
      return all.serving();
    };
    return { ...all, look };
  }

  test("a change is acted on when two looks agree on it", async () => {
    const { write, look, serving } = await started();
    assert.equal(serving(), "a");
    write(candidateOf("m", { fingerprint: "b" }));
    assert.equal(await look(), "a");
    write(candidateOf("m", { fingerprint: "c" }));
    assert.equal(await look(), "a");
    assert.equal(await look(), "c");
  });

  test("a file that is away for one look was replaced; for two it is gone", async () => {
    const { write, look, stubs } = await started();
    write();
    assert.equal(await look(), "a");
    write(candidateOf("m"));
    assert.equal(await look(), "a");
    assert.equal(stubs.length, 1);
    write();
    await look();
    assert.equal(await look(), "nothing");
  });

  test("new models appear, and watching ends with close", async () => {
    const { write, look, registry, control, scans } = await started();
    write(candidateOf("m"), candidateOf("n"));
    await look();
    assert.equal(registry.index().length, 1);
    await look();
    assert.equal(registry.resolve("n", undefined).name, "n");
    control.close();
    const before = scans();
    await look();
    await look();
    assert.equal(scans(), before);
  });
});

test("a look that was cut short proves no absence", () => {
  const settler = createScanSettler(scanOf(candidateOf("a"), candidateOf("b")));
  const cut: ScanResult = { candidates: [candidateOf("a")], problems: [], complete: false };
  for (let i = 0; i < 3; i++) assert.equal(settler.settle(cut).candidates.length, 2);
  assert.deepEqual(
    settler.settle(scanOf(candidateOf("a"))).candidates.map((candidate) => candidate.name),
    ["a"],
  );
});

describe("explicit", () => {
  test("loading looks at the disk first; many at once share the looks", async () => {
    const { control, write, serving, scans } = setUp({ kind: "explicit" });
    await control.start();
    assert.equal(serving(), "nothing");
    await control.loadModel("m", never());
    assert.equal(serving(), "a");
    write(candidateOf("m", { fingerprint: "b" }), candidateOf("n"));
    const before = scans();
    await Promise.all(Array.from({ length: 20 }, (_, i) => control.loadModel(i % 2 ? "m" : "n", never())));
    assert.equal(serving(), "b");
    assert.equal(scans() - before, 2);
    await control.unloadModel("m", never());
    assert.equal(serving(), "nothing");
    await assert.rejects(control.loadModel("x", never()), { code: "not_found" });
  });

  test("a load does not say yes when the look could not read the new version", async () => {
    const { control, registry, write, cut } = setUp({ kind: "explicit" });
    await control.start();
    await control.loadModel("m", never());
    const problem = "the folder 2 cannot be read: the disk reports a read error";
    const unread = { problem, unreadable: true, file: "", fingerprint: "" };
    write(candidateOf("m"), candidateOf("m", { version: "2", ...unread }));
    const refused = {
      code: "unavailable",
      reason: "file_unreadable",
      message: /was not loaded: the folder 2/,
    };
    await assert.rejects(control.loadModel("m", never()), refused);
    write(candidateOf("m"), candidateOf("m", { version: "2" }));
    await control.loadModel("m", never());
    assert.equal(registry.resolve("m", undefined).version, "2");
    cut(candidateOf("models", { ...unread, problem: "models cannot be read: permission denied" }));
    const cutShort = { code: "unavailable", message: /"m" was not loaded: models cannot be read/ };
    await assert.rejects(control.loadModel("m", never()), cutShort);
    await assert.rejects(control.loadModel("new", never()), { code: "unavailable" });
    write(candidateOf("m", { ...unread }), candidateOf("m", { version: "2" }));
    await control.loadModel("m", never());
  });

  test("a load does not say yes where a version serves and what lies there now is no model", async () => {
    const { control, registry, write } = setUp({ kind: "explicit" });
    await control.start();
    await control.loadModel("m", never());
    const refused = (message: RegExp) => ({ code: "failed_precondition", reason: "load_failed", message });
    const broken = { problem: "it is no model", fingerprint: "b" };
    write(candidateOf("m", broken));
    await assert.rejects(
      control.loadModel("m", never()),
      refused(/version 1: .* does not load: it is no model/),
    );
    assert.equal(registry.resolve("m", undefined).version, "1");
    write(candidateOf("m"), candidateOf("m", { version: "2", ...broken }));
    await assert.rejects(control.loadModel("m", never()), refused(/version 2: it is no model/));
    assert.equal(registry.resolve("m", undefined).version, "1");
    write(candidateOf("m"));
    await control.loadModel("m", never());
    // An older one is nobody's wish.
    write(candidateOf("m", broken), candidateOf("m", { version: "2" }));
    await control.loadModel("m", never());
    assert.equal(registry.resolve("m", undefined).version, "2");
  });

  test("files that were replaced under a load do not fail it: what lies there now is loaded", async () => {
    const { control, write, serving, onLoad } = setUp({ kind: "explicit" });
    await control.start();
    const changed = new ServeError("failed_precondition", "the model's file changed");
    onLoad(() => {
      write(candidateOf("m", { fingerprint: "b" }));
      onLoad(() => {});
      throw changed;
    });
    await control.loadModel("m", never());
    assert.equal(serving(), "b");
    write(candidateOf("m", { fingerprint: "c" }));
    onLoad(() => {
      throw changed;
    });
    await assert.rejects(control.loadModel("m", never()), { reason: "load_failed", message: /file changed/ });
    assert.equal(serving(), "b");
  });

  test("other modes refuse it", async () => {
    for (const mode of [{ kind: "none" }, { kind: "poll", intervalMs: 100 }] as const) {
      const { control } = setUp(mode);
      await control.start();
      await assert.rejects(control.loadModel("m", never()), { code: "failed_precondition" });
      await assert.rejects(control.unloadModel("m", never()), { code: "failed_precondition" });
      control.close();
    }
  });
});

describe("settings by request", () => {
  async function started() {
    const all = setUp({ kind: "explicit" });
    await all.control.start();
    return all;
  }

  test("they come before the files' own, load the model again when they change, and go when it is unloaded", async () => {
    const { control, serving, stubs, write } = await started();
    const settings = { name: "model.yaml", values: { instances: 1, threads: 2 } };
    write(candidateOf("m", { settings }));
    await control.loadModel("m", never(), { instances: 3 });
    assert.deepEqual(stubs.at(-1)!.candidate.settings?.values, { instances: 3, threads: 2 });
    await control.loadModel("m", never(), { instances: 3 });
    assert.equal(stubs.length, 1, "nothing changed");
    await control.loadModel("m", never(), { max_batch_size: 8 });
    assert.deepEqual(stubs.at(-1)!.candidate.settings?.values, {
      instances: 3,
      threads: 2,
      max_batch_size: 8,
    });
    await control.unloadModel("m", never());
    await control.loadModel("m", never());
    assert.deepEqual(stubs.at(-1)!.candidate.settings?.values, settings.values);
    assert.equal(serving(), stubs.at(-1)!.fingerprint);
  });

  test("settings that a model does not load with are not kept", async () => {
    const { control, stubs, onLoad } = await started();
    await control.loadModel("m", never(), { instances: 2 });
    onLoad(() => {
      throw new ServeError("failed_precondition", "too many");
    });
    await assert.rejects(control.loadModel("m", never(), { instances: 99 }), /too many/);
    onLoad(() => {});
    await control.loadModel("m", never());
    assert.deepEqual(stubs.at(-1)!.candidate.settings?.values, { instances: 2 });
  });
});

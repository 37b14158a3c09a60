// Tests what a registry makes of copies of stores: repository, model control and registry together.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { ServeError } from "../base/errors.ts";
import type { StoreState } from "../base/store-state.ts";
import { until } from "../base/until.kit.ts";
import { createRegistry } from "./create-registry.ts";
import { nodeFileSystem } from "./file-system.ts";
import type { RegistryOptions } from "./managed-registry.ts";
import { createModelControl, type ModelControlMode } from "./model-control.ts";
import { ManualClock, StubModel, silentLogger } from "./models.kit.ts";
import { createRepository } from "./repository.ts";

const NEVER = new AbortController().signal;
/** An ONNX file as far as its first bytes tell. */
const ONNX = Buffer.from([8, 8, 18, 7, 112, 121, 116, 111, 114, 99, 104, 58, 2, 10, 0]);

function rig(
  t: TestContext,
  {
    mode = { kind: "none" },
    ...options
  }: Partial<RegistryOptions> & { readonly mode?: ModelControlMode } = {},
) {
  const [local, copy] = [mkdtempSync(join(tmpdir(), "local-")), mkdtempSync(join(tmpdir(), "copy-"))];
  t.after(() => {
    for (const folder of [local, copy]) rmSync(folder, { recursive: true });
  });
  writeFileSync(join(local, "beside.onnx"), ONNX);
  let state: StoreState = { kind: "pending", reason: "s3://b/p is being read" };
  let isKnown = (): void => {};
  const known = new Promise<void>((resolve) => {
    isKnown = resolve;
  });
  let onChange = (): void => {};
  let refreshes = 0;
  let onRefresh = (): void => {};
  const clock = new ManualClock();
  const registry = createRegistry({
    clock,
    logger: silentLogger,
    load: (candidate) => Promise.resolve(new StubModel(candidate)),
    ...(mode.kind === "explicit" ? { explicit: { startup: ["stored"] } } : {}),
    ...options,
  });
  const repository = createRepository({
    paths: [{ path: local }, { path: copy, name: "stored", state: () => state }],
    fileSystem: nodeFileSystem,
    yaml: { read: () => Promise.reject(new ServeError("unavailable", "no settings here")) },
  });
  const control = createModelControl({
    mode,
    repository,
    registry,
    clock,
    stores: {
      start(listener) {
        onChange = listener;
        return known;
      },
      async refresh() {
        refreshes += 1;
        onRefresh();
      },
    },
  });
  const become = (next: StoreState): void => {
    state = next;
    isKnown();
    onChange();
  };
  const lineOf = (name: string): string => {
    const entry = registry.index().find((line) => line.name === name);
    return entry === undefined ? "none" : `${entry.state} ${entry.reason}`.trim();
  };
  return {
    local,
    copy,
    registry,
    control,
    clock,
    become,
    lineOf,
    refreshes: () => refreshes,
    setOnRefresh(next: () => void) {
      onRefresh = next;
    },
    isLine: (name: string, line: string) => until(`${name}: ${line}`, () => lineOf(name) === line),
  };
}

test("what lies here does not wait for a store, and readiness does", async (t) => {
  const { copy, registry, control, become, isLine } = rig(t, { readiness: "settled" });
  const started = control.start();
  await isLine("beside", "READY");
  await isLine("stored", "UNAVAILABLE s3://b/p is being read");
  assert.equal(registry.isReady(), false, "not every model was tried");
  writeFileSync(join(copy, "model.onnx"), ONNX);
  become({ kind: "current" });
  await started;
  await isLine("stored", "READY");
  assert.equal(registry.isReady(), true);
});

test("a store that was not there at the start is served when it is; nothing else is looked at for that", async (t) => {
  const { local, copy, registry, control, become, isLine, lineOf } = rig(t);
  const started = control.start();
  become({ kind: "absent", reason: "s3://b/p cannot be read: it answers 503" });
  await started;
  await isLine("stored", "UNAVAILABLE s3://b/p cannot be read: it answers 503");
  await registry.settled();
  assert.equal(registry.isReady(), false);
  become({ kind: "absent", reason: "s3://b/p cannot be read: it answers 403" });
  await isLine("stored", "UNAVAILABLE s3://b/p cannot be read: it answers 403");
  writeFileSync(join(local, "new-here.onnx"), ONNX);
  writeFileSync(join(copy, "model.onnx"), ONNX);
  become({ kind: "current" });
  await isLine("stored", "READY");
  assert.equal(lineOf("new-here"), "none", "--model-control none loads once");
  assert.equal(registry.isReady(), true);
});

test("a copy that serves says so in the index, for as long as it is one", async (t) => {
  const { copy, control, become, isLine } = rig(t);
  writeFileSync(join(copy, "model.onnx"), ONNX);
  const started = control.start();
  become({ kind: "kept", remark: "the copy of yesterday serves" });
  await started;
  await isLine("stored", "READY the copy of yesterday serves");
  become({ kind: "current" });
  await isLine("stored", "READY");
});

test("a load request reads the store first", async (t) => {
  const all = rig(t, { mode: { kind: "explicit" } });
  const started = all.control.start();
  all.become({ kind: "current" });
  await started;
  assert.equal(all.refreshes(), 0);
  all.setOnRefresh(() => writeFileSync(join(all.copy, "model.onnx"), ONNX));
  await all.control.loadModel("stored", NEVER);
  assert.equal(all.refreshes(), 1);
  assert.equal(all.lineOf("stored"), "READY");
});

test("a model of --load-models that its store did not have is loaded when it comes", async (t) => {
  const { copy, registry, control, become, isLine } = rig(t, { mode: { kind: "explicit" } });
  const started = control.start();
  become({ kind: "absent", reason: "s3://b/p cannot be read" });
  await started;
  writeFileSync(join(copy, "model.onnx"), ONNX);
  become({ kind: "current" });
  await isLine("stored", "READY");
  assert.equal(registry.isReady(), true);
});

test("a load of an unknown model, while a store cannot be read, does not say that there is none", async (t) => {
  const { control, become } = rig(t, { mode: { kind: "explicit" } });
  const started = control.start();
  become({ kind: "absent", reason: "s3://b/p cannot be read: it answers 503" });
  await started;
  await assert.rejects(control.loadModel("other", NEVER), {
    code: "unavailable",
    message: /s3:\/\/b\/p cannot be read/,
  });
});

// Tests loaded-files.ts, file-identity.ts and file-stamp.ts: files that change under a model that runs.
import assert from "node:assert/strict";
import {
  chmodSync,
  copyFileSync,
  linkSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, afterEach, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { systemClock } from "../../base/clock.ts";
import { ServeError } from "../../base/errors.ts";
import type { InstanceState } from "../../base/instance.ts";
import type { Logger } from "../../base/logger.ts";
import { openBelow } from "../../base/open-below.ts";
import { PLAIN_LOAD } from "../plain-load.ts";
import type { LoadedModel, LoadOptions } from "../runtime.ts";
import { LoadedFiles } from "./loaded-files.ts";
import { createOnnxRuntime } from "./onnx-runtime.ts";
import { floatWeight, tinyOnnx } from "./tiny-onnx.kit.ts";

const ROWS = 65_536;
const COLUMNS = 16;
const HANG_MS = 60_000;

const OPTIONS: LoadOptions = {
  ...PLAIN_LOAD,
  // So that a run reads the file's pages, and no packed copy of them.
  memory: "shared",
};

const DIGITS = fileURLToPath(new URL("../../../../../examples/models/digits.pt2", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "sconce-changed-files-"));
after(() => rmSync(folder, { recursive: true }));

/** y = x · w, all weights the same number: an answer whose columns differ, or are another number, is of two files. */
const MODEL = tinyOnnx({
  inputs: [{ name: "x", type: "FP32", dims: [1, ROWS] }],
  outputs: [{ name: "y", type: "FP32", dims: [1, COLUMNS] }],
  nodes: [{ op: "MatMul", inputs: ["x", "w"], outputs: ["y"] }],
  weights: [floatWeight("w", [ROWS, COLUMNS], { external: "w.bin" })],
});
const weightsOf = (value: number): Float32Array => new Float32Array(ROWS * COLUMNS).fill(value);
const X = {
  datatype: "FP32",
  shape: [1, ROWS],
  chunks: [new Uint8Array(weightsOf(1).buffer, 0, 4 * ROWS)],
} as const;

describe("a model whose files change", () => {
  const deaths: string[] = [];
  const logger: Logger = {
    debug() {},
    info() {},
    error() {},
    warn: (_fields, message) => {
      if (message.includes("died")) deaths.push(message);
    },
    child: () => logger,
  };
  const runtime = createOnnxRuntime({ clock: systemClock, logger, random: Math.random, spares: 1 });
  let model: LoadedModel | undefined;
  after(() => runtime.close());
  afterEach(() => model?.destroy("the test is over"));

  const path = join(folder, "model.onnx");
  const data = join(folder, "w.bin");

  async function load(): Promise<LoadedModel> {
    for (const file of [path, data]) rmSync(file, { force: true });
    writeFileSync(path, MODEL);
    writeFileSync(data, weightsOf(1));
    deaths.length = 0;
    const spec = { name: "m", version: "1", file: path, root: dirname(path), options: OPTIONS };
    model = await runtime.load(spec, { signal: new AbortController().signal });
    return model;
  }

  /** The column sums divided by the rows, or the reason of the failure. */
  async function ask({ instances }: LoadedModel): Promise<string> {
    try {
      const { outputs } = await instances[0]!.run({ inputs: [X] });
      const bytes = outputs[0]!.bytes;
      const values = new Float32Array(bytes.buffer, bytes.byteOffset, COLUMNS);
      return [...new Set(Array.from(values, (value) => value / ROWS))].join();
    } catch (error) {
      return ServeError.from(error).reason;
    }
  }

  async function stateAfter(loaded: LoadedModel, kind: InstanceState["kind"]): Promise<InstanceState> {
    const end = Date.now() + HANG_MS;
    while (loaded.instances[0]!.state.kind !== kind && Date.now() < end) await delay(5);
    return loaded.instances[0]!.state;
  }

  test("external data overwritten in place while runs are under way is never part of a result", async () => {
    for (let round = 0; round < 5; round++) {
      const loaded = await load();
      const seen = new Set<string>();
      const writer = delay(20 + round).then(() => writeFileSync(data, weightsOf(2)));
      while (loaded.instances[0]!.state.kind !== "failed") {
        seen.add(await ask(loaded));
        await delay(1);
      }
      await writer;
      seen.delete("1");
      seen.delete("model_file_changed");
      seen.delete("instance_not_ready");
      // It may be cut short between two looks, which ends the worker, or grow again, which does not.
      for (const reason of ["worker_died", "worker_died_waiting"]) seen.delete(reason);
      assert.deepEqual([...seen], []);
      const state = loaded.instances[0]!.state;
      assert.ok(state.kind === "failed" && state.isOutdated === true);
      assert.match(state.reason, /changed after it was loaded; reload the model/);
    }
  });

  test("a file that is cut short ends no worker after worker: it is given up at once", async () => {
    const loaded = await load();
    assert.equal(await ask(loaded), "1");
    truncateSync(data, 4096);
    await ask(loaded);
    const state = await stateAfter(loaded, "failed");
    assert.ok(state.kind === "failed" && state.isOutdated === true);
    assert.ok(deaths.length <= 2, deaths.join());
  });

  test("the model file itself, written into, is noticed before an idle model's next result", async () => {
    const loaded = await load();
    writeFileSync(path, MODEL);
    assert.equal(await ask(loaded), "model_file_changed");
    assert.equal((await stateAfter(loaded, "failed")).kind, "failed");
  });

  test("a small model is copied: its file, written into and cut short, changes no answer and ends no worker", async () => {
    const image = { datatype: "FP32", shape: [1, 1, 8, 8], chunks: [new Uint8Array(256).fill(62)] } as const;
    const onnx = tinyOnnx({
      inputs: [{ name: "x", type: "FP32", dims: [1, 1, 8, 8] }],
      outputs: [{ name: "y", type: "FP32", dims: [1, 1, 8, 8] }],
      nodes: [{ op: "Mul", inputs: ["x", "w"], outputs: ["y"] }],
      weights: [floatWeight("w", [8, 8], new Float32Array(64).fill(3))],
    });
    for (const [name, content] of Object.entries({ "small.onnx": onnx, "small.pt2": readFileSync(DIGITS) })) {
      const small = join(folder, name);
      writeFileSync(small, content);
      const spec = { name: "m", version: "1", file: small, root: folder, options: OPTIONS };
      model = await runtime.load(spec, { signal: new AbortController().signal });
      deaths.length = 0;
      const answer = async () => (await model!.instances[0]!.run({ inputs: [image] })).outputs[0]!.bytes;
      const first = Buffer.from(await answer());
      writeFileSync(small, new Uint8Array(content.byteLength));
      assert.deepEqual(Buffer.from(await answer()), first, name);
      truncateSync(small, 4);
      assert.deepEqual(Buffer.from(await answer()), first, name);
      assert.deepEqual([model.instances[0]!.state.kind, deaths], ["ready", []]);
      model.destroy("it was asked");
    }
  });

  test("files renamed over, moved away, linked or given other rights go on serving what was loaded", async () => {
    const loaded = await load();
    copyFileSync(data, join(folder, "next.bin"));
    chmodSync(data, 0o600);
    assert.equal(await ask(loaded), "1");
    linkSync(data, join(folder, "link.bin"));
    assert.equal(await ask(loaded), "1");
    rmSync(join(folder, "link.bin"));
    renameSync(data, join(folder, "old.bin"));
    assert.equal(await ask(loaded), "1");
    renameSync(join(folder, "next.bin"), join(folder, "old.bin"));
    await delay(30);
    assert.equal(await ask(loaded), "1");
    assert.equal(loaded.instances[0]!.state.kind, "ready");
  });

  test("times set back, as a backup does, cost a reload: it serves on when the content is the same", async () => {
    const loaded = await load();
    const { atimeMs, mtimeMs } = statSync(path);
    // Whole milliseconds survive being set.
    utimesSync(path, atimeMs / 1000, Math.floor(mtimeMs) / 1000);
    loaded.destroy("loaded again with times that can be set");
    const spec = { name: "m", version: "1", file: path, root: dirname(path), options: OPTIONS };
    model = await runtime.load(spec, { signal: new AbortController().signal });
    await delay(30);
    utimesSync(path, atimeMs / 1000, Math.floor(mtimeMs) / 1000);
    assert.equal(await ask(model), "model_file_changed");
    assert.equal((await stateAfter(model, "ready")).kind, "ready");
    assert.equal(await ask(model), "1");
    const changed = Buffer.from(readFileSync(path));
    changed.writeUInt8(changed.at(1)! - 1, 1);
    writeFileSync(path, changed);
    utimesSync(path, atimeMs / 1000, Math.floor(mtimeMs) / 1000);
    assert.equal(await ask(model), "model_file_changed");
    assert.equal((await stateAfter(model, "failed")).kind, "failed");
  });
});

test("a write within the tick of the kernel's clock in which a file was written shows", () => {
  const path = join(folder, "tick.bin");
  for (let round = 0; round < 50; round++) {
    writeFileSync(path, "a");
    const files = new LoadedFiles();
    files.hold(openBelow(folder, path));
    files.check();
    writeFileSync(path, "b");
    assert.throws(() => files.check(), { reason: "model_file_changed" }, `round ${round}`);
    files.close();
  }
});

import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { systemClock } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import { PLAIN_LOAD } from "../plain-load.ts";
import type { LoadedModel, LoadOptions } from "../runtime.ts";
import { createWorkerRuntime } from "../worker-runtime.ts";
import { createOnnxRuntime } from "./onnx-runtime.ts";
import { floatWeight, ONNX_TYPE, tinyOnnx } from "./tiny-onnx.kit.ts";
import { WORKER_MODES } from "./worker-modes.ts";

const SILENT: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => SILENT };
const EXAMPLES = new URL("../../../../../examples/", import.meta.url);

/** x.transpose(0, 1).float() @ w: ONNX Runtime's MatmulTransposeFusion ends the process. */
const CRASHES_OPTIMISED = tinyOnnx({
  inputs: [{ name: "x", type: "INT32", dims: ["a", "b", 2] }],
  outputs: [{ name: "y", type: "FP32", dims: ["b", "a", 1] }],
  nodes: [
    { op: "Transpose", inputs: ["x"], outputs: ["turned"], attributes: { perm: [1, 0, 2] } },
    { op: "Cast", inputs: ["turned"], outputs: ["cast"], attributes: { to: ONNX_TYPE.FP32 } },
    { op: "MatMul", inputs: ["cast", "w"], outputs: ["y"] },
  ],
  weights: [floatWeight("w", [2, 1], Float32Array.of(1, 10))],
});

interface Expected {
  readonly heldOut: readonly {
    readonly pixels: readonly number[];
    readonly probabilities: readonly number[];
  }[];
}

const expected = JSON.parse(readFileSync(new URL("digits/expected.json", EXAMPLES), "utf8")) as Expected;

const PARTS = { clock: systemClock, logger: SILENT, random: Math.random, spares: 1 };

describe("createOnnxRuntime()", () => {
  const runtime = createOnnxRuntime(PARTS);
  after(() => runtime.close());

  const load = (file: string, options: Partial<LoadOptions> = {}, by = runtime): Promise<LoadedModel> =>
    by.load(
      {
        name: "m",
        version: "1",
        file: fileURLToPath(new URL(file, EXAMPLES)),
        root: fileURLToPath(EXAMPLES),
        options: { ...PLAIN_LOAD, ...options },
      },
      { signal: new AbortController().signal },
    );

  /** All held-out digits in one run, one chunk per row, as the scheduler would send them. */
  async function checkDigits(model: LoadedModel): Promise<void> {
    const rows = expected.heldOut;
    const chunks = rows.map(
      ({ pixels }) => new Uint8Array(Float32Array.from(pixels, (pixel) => pixel / 16).buffer),
    );
    const result = await model.instances[0]!.run({
      inputs: [{ datatype: "FP32", shape: [rows.length, 1, 8, 8], chunks }],
    });
    const [output] = result.outputs;
    assert.deepEqual(output?.shape, [rows.length, 10]);
    const values = new Float32Array(output.bytes.slice().buffer);
    const wanted = rows.flatMap((row) => row.probabilities);
    for (let i = 0; i < wanted.length; i++)
      assert.ok(Math.abs(values[i]! - wanted[i]!) <= 1e-5, `value ${i}`);
  }

  for (const mode of Object.values(WORKER_MODES)) {
    test(`a worker that was started with ${mode} loads the rest with a file that nobody has translated`, async () => {
      const entry = new URL("./worker-main.js", import.meta.url);
      const args = (): readonly string[] => [mode];
      const lean = createWorkerRuntime({ ...PARTS, name: "onnx", entry, args });
      try {
        await checkDigits(await load("models/digits.pt2", {}, lean));
      } finally {
        await lean.close();
      }
    });
  }

  test("runs a program of torch.export, translated, its weights mapped from the file", async () => {
    for (const memory of ["fast", "shared"] as const) {
      const model = await load("models/digits.pt2", { memory });
      await checkDigits(model);
      const { description } = model;
      assert.equal(description.platform, "pytorch_pt2");
      assert.equal(description.parameterCount, 13_900);
      assert.equal(description.signature.batching.kind, "on");
      assert.deepEqual(Object.keys(description.loadMs), ["translate", "session", "warmup"]);
      assert.match(description.digest, /^[0-9a-f]{64}$/);
      await model.close();
    }
  });

  for (const isolation of ["process", "thread"] as const) {
    test(`runs an ONNX file in a ${isolation}`, async () => {
      const model = await load("digits/digits.onnx", { isolation });
      await checkDigits(model);
      assert.deepEqual(model.description.signature.batching, { kind: "on", symbol: "batch" });
      assert.equal(model.description.parameterCount, 13_708);
      await model.close();
    });
  }
});

test("a file over which ONNX Runtime's optimiser crashes is served without it, by every instance, and says so", async () => {
  const folder = mkdtempSync(join(tmpdir(), "sconce-optimiser-"));
  const runtime = createOnnxRuntime(PARTS);
  try {
    const file = join(folder, "model.onnx");
    writeFileSync(file, CRASHES_OPTIMISED);
    const model = await runtime.load(
      { name: "m", version: "1", file, root: folder, options: { ...PLAIN_LOAD, instances: 2 } },
      { signal: new AbortController().signal },
    );
    assert.match(model.description.warnings.join(), /crashed where it optimises/);
    for (const instance of model.instances) {
      const { outputs } = await instance.run({
        inputs: [
          { datatype: "INT32", shape: [2, 1, 2], chunks: [new Uint8Array(Int32Array.of(1, 2, 3, 4).buffer)] },
        ],
      });
      assert.deepEqual(outputs[0]?.shape, [1, 2, 1]);
      assert.deepEqual([...new Float32Array(outputs[0].bytes.slice().buffer)], [21, 43]);
    }
  } finally {
    await runtime.close();
    rmSync(folder, { recursive: true });
  }
});

test("loading a model leaves no file behind: neither in the folder for temporary files nor in the user's own", async () => {
  const folder = mkdtempSync(join(tmpdir(), "sconce-no-telemetry-"));
  try {
    const runtime = createOnnxRuntime({
      clock: systemClock,
      logger: SILENT,
      random: Math.random,
      spares: 1,
      env: { TMPDIR: folder, HOME: folder },
    });
    const file = fileURLToPath(new URL("digits/digits.onnx", EXAMPLES));
    await runtime.load(
      { name: "m", version: "1", file, root: dirname(file), options: PLAIN_LOAD },
      { signal: new AbortController().signal },
    );
    await runtime.close();
    assert.deepEqual(readdirSync(folder), []);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

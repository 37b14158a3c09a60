import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import {
  calibrationModel,
  decodeModel,
  encodeModel,
  inlineWeights,
  type OnnxModel,
  quantizeModel,
  quantizeStatic,
} from "@sconce/torch";
import { openFileSource } from "@sconce/torch/node";
import { exampleSize, type TensorSpec } from "../../base/signature.ts";
import { elementBytes, elementCount, type Tensor } from "../../base/tensor.ts";
import type { HostedModel } from "../model-host.ts";
import { PLAIN_LOAD } from "../plain-load.ts";
import type { LoadOptions } from "../runtime.ts";
import { loadModel } from "./load-model.ts";
import { tinyOnnx } from "./tiny-onnx.kit.ts";

const at = (path: string): string => fileURLToPath(new URL(`../../../../../${path}`, import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "rows-"));
after(() => rmSync(folder, { recursive: true }));

const ROUNDS = 50;
const ROWS = 32;
/** Of the encoder's table. */
const IDS = 50;

const FILES = {
  digits: at("examples/models/digits.pt2"),
  vision: at("packages/torch/fixtures/rewrite/vision.onnx"),
  encoder: at("packages/torch/fixtures/rewrite/encoder.onnx"),
  branches: at("packages/torch/fixtures/rewrite/branches.onnx"),
};

function load(file: string, options: Partial<LoadOptions> = {}): Promise<HostedModel> {
  const all: LoadOptions = { ...PLAIN_LOAD, threadsPerInstance: 2, ...options };
  const spec = { name: "m", version: "1", file, root: dirname(file), options: all };
  return loadModel({ spec, wantsDigest: false }, () => {});
}

let state = 7;
function random(): number {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state / 2 ** 32;
}

/** So many made-up rows; floats as far from zero as `scale`. */
function rowsOf({ datatype, dims }: TensorSpec, rows: number, scale: number): Tensor {
  const shape = [rows, ...dims.slice(1).map(exampleSize)];
  const count = elementCount(shape);
  const values = Array.from({ length: count }, random);
  const data =
    datatype === "INT64"
      ? BigInt64Array.from(values, (value) => BigInt(Math.floor(value * IDS)))
      : Float32Array.from(values, (value) => scale * (2 * value - 1));
  const bytes = new Uint8Array(data.buffer);
  assert.equal(bytes.length, count * elementBytes(datatype));
  return { datatype, shape, bytes };
}

/** The same with one row in the place of another. */
function among(row: Tensor, others: Tensor, place: number): Tensor {
  const bytes = Uint8Array.from(others.bytes);
  bytes.set(row.bytes, place * row.bytes.length);
  return { ...others, bytes };
}

async function outputsOf(model: HostedModel, inputs: readonly Tensor[]): Promise<Buffer[]> {
  const { outputs } = await model.run(inputs);
  return outputs.map(({ chunks }) => Buffer.concat(chunks));
}

/** The same row alone and among 31 strangers, fifty times: the same bits. */
async function assertRowsApart(model: HostedModel): Promise<void> {
  const { inputs } = model.description.signature;
  for (let round = 0; round < ROUNDS; round++) {
    const row = inputs.map((spec) => rowsOf(spec, 1, 1));
    const place = round % ROWS;
    const together = row.map((tensor, i) => among(tensor, rowsOf(inputs[i]!, ROWS, 10), place));
    const alone = await outputsOf(model, row);
    const all = await outputsOf(model, together);
    for (const [i, bytes] of alone.entries()) {
      const own = all[i]!.subarray(place * bytes.length, (place + 1) * bytes.length);
      assert.equal(Buffer.compare(own, bytes), 0, `output ${i}, round ${round}`);
    }
  }
}

/** Either nobody shares a run, and it is said why, or whoever does gets what he would get alone. */
async function check(
  file: string,
  expected: "on" | "off",
  options: Partial<LoadOptions> = {},
): Promise<void> {
  const model = await load(file, options);
  const { batching } = model.description.signature;
  assert.equal(batching.kind, expected, batching.kind === "off" ? batching.reason : "batching is on");
  if (batching.kind === "on") return assertRowsApart(model);
  assert.match(
    batching.reason,
    /rounds a single row otherwise|measures all rows of a run with one scale|a branch is taken for all rows/,
  );
  assert.match(batching.reason, /inexact_batching: true in model\.yaml/);
  assert.ok(model.description.warnings.includes(`batching is off: ${batching.reason}`));
  const shared = await load(file, { ...options, mayMixRows: true });
  assert.equal(shared.description.signature.batching.kind, "on", "who asks for it gets it");
}

describe("an answer does not depend on strangers' rows: the same bits alone and among 31 others, or no common run", () => {
  for (const [name, file] of Object.entries(FILES)) {
    for (const precision of ["float32", "float16", "int8", "int4"] as const) {
      test(`${name}, precision ${precision}`, () =>
        check(file, precision === "int4" || name === "branches" ? "off" : "on", { precision }));
    }
  }

  const source = openFileSource(FILES.vision);
  const vision = inlineWeights(decodeModel(source), ({ offset, byteLength }) =>
    source.read(offset, byteLength),
  );
  source.close();
  const read = (): never => assert.fail("all weights are inside");
  const written = (name: string, model: OnnxModel): string => {
    const file = join(folder, name);
    writeFileSync(file, encodeModel(model));
    return file;
  };

  test("vision.onnx as --int8 --static writes it", () => {
    const ranges = calibrationModel(vision, {}).values.map((name) => [name, { min: -3, max: 9 }] as const);
    return check(written("static.onnx", quantizeStatic(vision, new Map(ranges), { read }).model), "on");
  });

  test("vision.onnx as --int8 --reduce-range writes it", () => {
    const { model } = quantizeModel(vision, { precision: "int8", reduceRange: true, read });
    return check(written("reduced.onnx", model), "on");
  });

  test("vision.onnx as --int8-weights writes it", () => {
    const { model } = quantizeModel(vision, { precision: "int8-weights", read });
    return check(written("weights.onnx", model), "off");
  });

  test("a file of others that measures a whole batch with one scale", () => {
    const file = join(folder, "dynamic.onnx");
    const dims = ["n", 4];
    writeFileSync(
      file,
      tinyOnnx({
        inputs: [{ name: "x", type: "FP32", dims }],
        outputs: [{ name: "y", type: "FP32", dims }],
        nodes: [
          { op: "DynamicQuantizeLinear", inputs: ["x"], outputs: ["codes", "scale", "zero"] },
          { op: "DequantizeLinear", inputs: ["codes", "scale", "zero"], outputs: ["y"] },
        ],
      }),
    );
    return check(file, "off");
  });
});

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { Tensor } from "onnxruntime-node";
import { memorySource } from "../archive/byte-range.ts";
import { floats, random, relativeError, runModel } from "../quantize/run-model.kit.ts";
import { decodeModel } from "./decode.ts";
import { encodeModel } from "./encode.ts";
import type { OnnxModel } from "./model.ts";
import { externalizeWeights, inlineWeights, weightBytes } from "./place-weights.ts";

const at = (path: string): string => fileURLToPath(new URL(`../../../../${path}`, import.meta.url));
const next = random(3);
const noise = (): number => 2 * next() - 1;

const FILES: Record<string, Record<string, Tensor>> = {
  "examples/digits/digits.onnx": { image: floats([3, 1, 8, 8], noise) },
  "packages/torch/fixtures/rewrite/branches.onnx": { x: floats([5, 32], noise) },
  "packages/torch/fixtures/rewrite/encoder.onnx": {
    ids: new Tensor(
      "int64",
      BigInt64Array.from({ length: 33 }, () => BigInt(Math.floor(next() * 50))),
      [3, 11],
    ),
  },
  "packages/torch/fixtures/rewrite/recurrent.onnx": { x: floats([4, 5, 16], noise) },
  "packages/torch/fixtures/rewrite/vision.onnx": { x: floats([3, 3, 16, 16], noise) },
};

/** Everything a model says; places of weights replaced by their bytes. */
function contentOf(model: OnnxModel): unknown {
  return JSON.parse(
    JSON.stringify(model, (_, value: unknown) =>
      value instanceof Uint8Array
        ? Buffer.from(value).toString("base64")
        : value instanceof Map
          ? [...value]
          : value,
    ),
  );
}

for (const [path, feeds] of Object.entries(FILES)) {
  test(`${path.replace(/.*\//, "")} is decoded and encoded without a loss`, async () => {
    const bytes = new Uint8Array(readFileSync(at(path)));
    const source = memorySource("m.onnx", bytes);
    const model = inlineWeights(decodeModel(source), ({ offset, byteLength }) =>
      source.read(offset, byteLength),
    );
    const again = encodeModel(model);
    // ONNX Runtime may fuse differently without the file's intermediate shapes: the last bit of a float may change.
    assert.ok(relativeError(await runModel(again, feeds), await runModel(bytes, feeds)) < 1e-6);
    const other = memorySource("m.onnx", again);
    const read = inlineWeights(decodeModel(other), ({ offset, byteLength }) =>
      other.read(offset, byteLength),
    );
    assert.deepEqual(contentOf(read), contentOf(model));
  });
}

test("weights move into a data file page by page, small ones stay", () => {
  const source = memorySource("m.onnx", new Uint8Array(readFileSync(at("examples/digits/digits.onnx"))));
  const inside = inlineWeights(decodeModel(source), ({ offset, byteLength }) =>
    source.read(offset, byteLength),
  );
  const { model, placed } = externalizeWeights(inside, "w.data");
  assert.ok(placed.length > 0 && placed.every(({ offset }) => offset % 4096 === 0));
  const left = model.graph.initializers.filter(({ data }) => data instanceof Uint8Array);
  assert.ok(left.length > 0 && left.every(({ data }) => (data as Uint8Array).length < 1024));
  assert.equal(weightBytes(model), weightBytes(inside));
});

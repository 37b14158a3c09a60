import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { nodePlatform, openFileSource } from "../node.ts";
import { translate } from "../translate/translate.ts";

const path = fileURLToPath(new URL("../../../../examples/digits/digits.pt", import.meta.url));

interface Expected {
  readonly heldOut: readonly {
    readonly pixels: readonly number[];
    readonly probabilities: readonly number[];
  }[];
}

test("digits.pt, traced, runs on ONNX Runtime with any batch size, equal to PyTorch", async () => {
  const source = openFileSource(path);
  const { model, inputs, outputs, report } = translate(source, nodePlatform);
  source.close();
  assert.deepEqual(report, { unsupported: [], warnings: [] });
  const batch = { symbol: "batch", min: 0, max: undefined };
  assert.deepEqual(inputs, [{ name: "image", dtype: "float32", dims: [batch, 1, 8, 8] }]);
  assert.deepEqual(outputs, [{ name: "probabilities", dtype: "float32", dims: [batch, 10] }]);

  const folder = { model_external_initializers_file_folder_path: dirname(path) };
  const session = await InferenceSession.create(model, { extra: { session: folder }, intraOpNumThreads: 1 });
  const expectedFile = new URL("../../../../examples/digits/expected.json", import.meta.url);
  const { heldOut } = JSON.parse(readFileSync(expectedFile, "utf8")) as Expected;
  const image = Float32Array.from(heldOut.flatMap(({ pixels }) => pixels.map((value) => value / 16)));
  const result = await session.run({ image: new Tensor("float32", image, [heldOut.length, 1, 8, 8]) });
  const got = result["probabilities"]!.data as Float32Array;
  for (const [i, want] of heldOut.flatMap(({ probabilities }) => probabilities).entries()) {
    assert.ok(Math.abs(got[i]! - want) <= 1e-5, `probability ${i} is ${got[i]}, PyTorch has ${want}`);
  }
  await session.release();
});

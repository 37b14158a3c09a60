import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { memorySource } from "../archive/byte-range.ts";
import type { ByteSource } from "../byte-source.ts";
import { ModelFileError } from "../errors.ts";
import { nodePlatform, openFileSource } from "../node.ts";
import { summarize } from "./summarize.ts";
import { translate } from "./translate.ts";

const path = fileURLToPath(new URL("../../../../examples/models/digits.pt2", import.meta.url));
const digits = openFileSource(path);

interface Expected {
  readonly heldOut: readonly {
    readonly pixels: readonly number[];
    readonly probabilities: readonly number[];
  }[];
}

test("digits.pt2 runs on ONNX Runtime with its weights mapped from the file, equal to PyTorch", async () => {
  const { model, inputs, outputs, report } = translate(digits, nodePlatform);
  assert.deepEqual(report, { unsupported: [], warnings: [] });
  const batch = { symbol: "batch", min: 0, max: 1024 };
  assert.deepEqual(inputs, [{ name: "image", dtype: "float32", dims: [batch, 1, 8, 8] }]);
  assert.deepEqual(outputs, [{ name: "probabilities", dtype: "float32", dims: [batch, 10] }]);
  assert.ok(model.length < 8_000, `the model holds ${model.length} bytes: weights must stay in the file`);

  const folder = { model_external_initializers_file_folder_path: dirname(path) };
  const session = await InferenceSession.create(model, { extra: { session: folder }, intraOpNumThreads: 1 });
  const expectedFile = fileURLToPath(new URL("../../../../examples/digits/expected.json", import.meta.url));
  const { heldOut } = JSON.parse(readFileSync(expectedFile, "utf8")) as Expected;
  const image = Float32Array.from(heldOut.flatMap(({ pixels }) => pixels.map((value) => value / 16)));
  const result = await session.run({ image: new Tensor("float32", image, [heldOut.length, 1, 8, 8]) });
  const got = result["probabilities"]!.data as Float32Array;
  for (const [i, want] of heldOut.flatMap(({ probabilities }) => probabilities).entries()) {
    assert.ok(Math.abs(got[i]! - want) <= 1e-5, `probability ${i} is ${got[i]}, PyTorch has ${want}`);
  }
  await session.release();
});

test("digits.pt2 is summarized", () => {
  const summary = summarize(digits, nodePlatform);
  assert.equal(summary.format, "pt2");
  assert.match(summary.detail, /^PT2 archive, schema 8\.\d+, torch 2\.\d+\.\d+$/);
  assert.equal(summary.report.unsupported.length, 0);
  assert.ok(summary.parameterCount > 1_000 && summary.weightBytes >= summary.parameterCount * 4);
  assert.equal(summary.ops.find(({ op }) => op === "aten.conv2d.default")?.count, 2);
});

test("whichever read fails, the file system is to blame: no operation, and no sample", () => {
  let reads = 0;
  const failingAt = (k: number): ByteSource => ({
    name: digits.name,
    byteLength: digits.byteLength,
    read(offset, length) {
      if (reads++ === k) throw new ModelFileError("unreadable", "digits.pt2 cannot be read");
      return digits.read(offset, length);
    },
  });
  translate(failingAt(-1), nodePlatform);
  const all = reads;
  assert.ok(all > 10, `${all} reads`);
  for (let k = 0; k < all; k++) {
    reads = 0;
    assert.throws(() => translate(failingAt(k), nodePlatform), { kind: "unreadable" }, `read ${k}`);
  }
});

test("what the file system says of a file comes as the cause", () => {
  const folder = openFileSource(dirname(path));
  assert.throws(
    () => folder.read(0, 1),
    (error: Error) => {
      assert.equal((error as ModelFileError).kind, "unreadable");
      assert.equal((error.cause as NodeJS.ErrnoException).code, "EISDIR");
      return true;
    },
  );
  folder.close();
  assert.throws(() => openFileSource(`${path}-none`), { kind: "unreadable" });
});

test("a file that is not an archive is refused in words", () => {
  const junk = memorySource("junk.pt2", new Uint8Array(100));
  assert.throws(
    () => translate(junk, nodePlatform),
    (error) => error instanceof ModelFileError && error.kind === "unsupported",
  );
});

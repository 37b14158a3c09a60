import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { memorySource } from "../archive/byte-range.ts";
import { nodePlatform } from "../node.ts";
import { translate } from "../translate/translate.ts";

const read = (path: string): Uint8Array =>
  new Uint8Array(readFileSync(fileURLToPath(new URL(`../../../../${path}`, import.meta.url))));
const KEYWORDS = "packages/torch/fixtures/rewrite/keywords.pt2";

test("sample inputs come in the order of the inputs, by keyword and path, bfloat16 as float32", () => {
  const { inputs, sampleInputs, report } = translate(memorySource("k.pt2", read(KEYWORDS)), nodePlatform);
  assert.deepEqual(report, { unsupported: [], warnings: [] });
  const byName = new Map(inputs.map(({ name }, i) => [name, sampleInputs![i]!]));
  const ids = byName.get("ids")!;
  assert.deepEqual([ids.dtype, ids.shape], ["int64", [1, 3]]);
  assert.deepEqual([...new BigInt64Array(Uint8Array.from(ids.bytes).buffer)], [3n, 9n, 0n]);
  const scale = byName.get("extra_scale")!;
  assert.deepEqual([scale.dtype, scale.shape], ["float32", [1]]);
  assert.deepEqual([...new Float32Array(Uint8Array.from(scale.bytes).buffer)], [0.5]);
  const mask = byName.get("mask")!;
  assert.deepEqual([...new Float32Array(Uint8Array.from(mask.bytes).buffer)], [1, 1, 0]);
});

test("sample inputs are found under names with capitals", () => {
  const bytes = read("packages/torch/fixtures/rewrite/named.pt2");
  const { inputs, sampleInputs } = translate(memorySource("n.pt2", bytes), nodePlatform);
  assert.deepEqual(
    inputs
      .map(({ name }, i) => [
        name,
        new DataView(Uint8Array.from(sampleInputs![i]!.bytes).buffer).getFloat32(0, true),
      ])
      .slice(1),
    [
      ["X__0", 2],
      ["x__0", 3],
      ["Batch_pixelValues", 5],
      ["Scale", 7],
    ],
  );
});

test("samples that cannot be read are a warning, not the end of the program", () => {
  const bytes = read(KEYWORDS);
  // The pickle of the nested archive begins with protocol 2; protocol 9 does not exist.
  const at = Buffer.from(bytes).indexOf(Buffer.from("data/sample_inputs/model.pt"));
  const pickle = Buffer.from(bytes).indexOf(Buffer.from([0x80, 2]), at);
  bytes[pickle + 1] = 9;
  const { model, sampleInputs, report } = translate(memorySource("k.pt2", bytes), nodePlatform);
  assert.ok(model.length > 0);
  assert.equal(sampleInputs, undefined);
  assert.match(report.warnings.join(), /sample inputs stored with the program cannot be read/);
});

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { NamedTensor } from "../../base/tensor.ts";
import { sentenceVectorOf } from "./sentence-vector.ts";
import { SideFiles } from "./side-files.ts";

const base = realpathSync(mkdtempSync(join(tmpdir(), "sconce-pooling-")));
after(() => rmSync(base, { recursive: true }));
let folders = 0;

/** The files beside a model. */
function files(pooling?: object, modules?: unknown): SideFiles {
  const folder = join(base, String(++folders));
  mkdirSync(join(folder, "1_Pooling"), { recursive: true });
  if (pooling !== undefined) writeFileSync(join(folder, "1_Pooling/config.json"), JSON.stringify(pooling));
  if (modules !== undefined) writeFileSync(join(folder, "modules.json"), JSON.stringify(modules));
  return new SideFiles(base, [folder]);
}

const tensor = (shape: number[], values: number[]): NamedTensor => ({
  name: "y",
  datatype: "FP32",
  shape,
  bytes: new Uint8Array(Float32Array.from(values).buffer),
});
/** Padding, two tokens, padding. */
const TOKENS = tensor([1, 4, 2], [9, 9, 3, -4, 1, 8, 7, 7]);
const REAL = { from: 1, to: 3 };
const NORMALIZE = [
  { type: "sentence_transformers.models.Pooling" },
  { type: "sentence_transformers.models.Normalize" },
];

test("tokens become a vector as sentence-transformers' files say, without padding", () => {
  for (const [mode, expected] of [
    ["pooling_mode_cls_token", [3, -4]],
    ["pooling_mode_mean_tokens", [2, 2]],
    ["pooling_mode_max_tokens", [3, 8]],
  ] as const) {
    const others = { word_embedding_dimension: 2, pooling_mode_lasttoken: false };
    assert.deepEqual(sentenceVectorOf(files({ ...others, [mode]: true }))(TOKENS, REAL), expected, mode);
  }
  assert.deepEqual(
    sentenceVectorOf(files({ pooling_mode_cls_token: true }, NORMALIZE))(TOKENS, REAL),
    [0.6, -0.8],
  );
});

test("a vector is taken as it is, and a way that nobody says is refused", () => {
  const plain = sentenceVectorOf(files());
  assert.deepEqual(plain(tensor([1, 3], [1, 2, 3]), REAL), [1, 2, 3]);
  assert.throws(() => plain(TOKENS, REAL), { code: "invalid_argument", message: /1_Pooling\/config\.json/ });
  assert.throws(() => plain(tensor([4], [1, 2, 3, 4]), REAL), {
    message: /neither a vector nor one for each token/,
  });
  for (const pooling of [
    {},
    { pooling_mode_weightedmean_tokens: true },
    { pooling_mode_cls_token: true, pooling_mode_max_tokens: true },
  ])
    assert.throws(() => sentenceVectorOf(files(pooling)), { reason: "bad_task_files" });
  assert.deepEqual(sentenceVectorOf(files(undefined, NORMALIZE))(tensor([1, 2], [0, 0]), REAL), [0, 0]);
});

test("fewer dimensions are the first ones, of length 1 again where the model's are", () => {
  const vector = tensor([1, 3], [3, 4, 12]);
  assert.deepEqual(sentenceVectorOf(files())(vector, REAL, 2), [3, 4]);
  assert.deepEqual(sentenceVectorOf(files(undefined, NORMALIZE))(vector, REAL, 2), [0.6, 0.8]);
  assert.throws(() => sentenceVectorOf(files())(vector, REAL, 4), /dimensions: this model gives 3/);
});

import assert from "node:assert/strict";
import { linkSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { floatWeight, tinyOnnx } from "../runtime/onnx/tiny-onnx.kit.ts";
import { openModel } from "./open-model.ts";

const folder = mkdtempSync(join(tmpdir(), "open-model-"));
after(() => rmSync(folder, { recursive: true }));
const BYTES = Uint8Array.from({ length: 24 }, (_, i) => i);

function model(external: string): string {
  const file = join(folder, `${external}.onnx`);
  const weight = floatWeight("w", [2, 3], { external });
  const port = { type: "FP32", dims: [2, 3] } as const;
  const nodes = [{ op: "Add", inputs: ["x", "w"], outputs: ["y"] }];
  const [inputs, outputs] = [[{ name: "x", ...port }], [{ name: "y", ...port }]];
  writeFileSync(file, tinyOnnx({ inputs, outputs, nodes, weights: [weight] }));
  return file;
}

test("weights in a file beside the model are read; the bytes behind a link never reach what quantize writes", () => {
  writeFileSync(join(folder, "own"), BYTES);
  writeFileSync(join(folder, "other"), BYTES);
  symlinkSync("own", join(folder, "soft"));
  linkSync(join(folder, "other"), join(folder, "hard"));
  for (const location of ["own", "soft", "hard"]) {
    const opened = openModel(model(location));
    const read = (): Uint8Array => opened.read({ location, offset: 0, byteLength: 24 });
    if (location === "own") assert.deepEqual(Uint8Array.from(read()), BYTES);
    else assert.throws(read, { reason: "model_refused", message: /must be a plain file without links/ });
    opened.close();
  }
});

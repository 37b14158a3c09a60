// Tests the pixels of every image processor that tasks know against transformers' own.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { decodeImage, readImageProcessor } from "./internals/pixels.ts";
import { SideFiles } from "./internals/tokens.ts";
import { requirePython, runPython } from "./python.ts";

/** Of the last step, which divides; a pixel that differed by one of 255 steps would be far beyond it. */
const TOLERANCE = 1e-6;

test("every image processor makes the pixels that transformers makes", async (t) => {
  const python = requirePython(t);
  if (python === undefined) return;
  const folder = mkdtempSync(join(tmpdir(), "sconce-pixels-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const script = fileURLToPath(new URL("../../scripts/python/process_images.py", import.meta.url));
  const made = JSON.parse(await runPython(python, [script, folder])) as {
    readonly folder: string;
    readonly file: string;
    readonly shape: readonly number[];
  }[];
  for (const { folder: name, file, shape } of made) {
    const processor = readImageProcessor(new SideFiles(folder, [join(folder, name)]));
    const image = await decodeImage(readFileSync(join(folder, "files", file)));
    const { height, width, values } = processor.process(image);
    assert.deepEqual([3, height, width], shape, `${name} ${file}`);
    const bytes = readFileSync(join(folder, name, `${file}.bin`));
    const expected = new Float32Array(new Uint8Array(bytes).buffer);
    let worst = 0;
    for (let i = 0; i < values.length; i++) {
      const limit = Math.max(1, Math.abs(expected[i]!));
      worst = Math.max(worst, Math.abs(values[i]! - expected[i]!) / limit);
    }
    assert.ok(worst <= TOLERANCE, `${name} ${file} differs by ${worst}`);
  }
});

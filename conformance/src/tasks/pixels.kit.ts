import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { decodeImage, readImageProcessor } from "../internals/pixels.ts";
import { SideFiles } from "../internals/tokens.ts";

/** Of the last step, which divides; a pixel that differed by one of 255 steps would be far beyond it. */
const TOLERANCE = 1e-6;

/** What `process_images.py` has written to a folder. */
interface Pixels {
  readonly folder: string;
  readonly file: string;
  readonly shape: readonly number[];
}

/** The pixels of every image processor that tasks know. */
export async function checkPixels(folder: string, made: readonly Pixels[]): Promise<void> {
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
}

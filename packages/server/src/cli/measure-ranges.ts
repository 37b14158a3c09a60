import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { calibrationModel, type ValueRange } from "@sconce/torch";
import type { Tensor } from "../base/tensor.ts";
import type { OpenModel } from "./open-model.ts";
import type { Trial } from "./trial-inputs.ts";
import type { LoadTrial } from "./trial-runtime.ts";
import { writeOnnx } from "./write-onnx.ts";

export interface Measuring {
  readonly load: LoadTrial;
  readonly trials: readonly Trial[];
  readonly exclude: ReadonlySet<string>;
}

/**
 * Runs a model on typical inputs and answers the smallest and largest number of every value that static quantization needs. A NaN anywhere
 * makes a range of NaNs. Throws ServeError when the model takes one of the inputs badly, ModelFileError when it has nothing to measure.
 */
export async function measureRanges(
  { model, read }: OpenModel,
  { load, trials, exclude }: Measuring,
): Promise<ReadonlyMap<string, ValueRange>> {
  const { model: measuring, values } = calibrationModel(model, { exclude });
  const folder = mkdtempSync(join(tmpdir(), "sconce-calibration-"));
  try {
    const file = join(folder, "model.onnx");
    writeOnnx(file, measuring, { read });
    const loaded = await load(file);
    const ranges = new Map<string, ValueRange>();
    for (const trial of trials) {
      const { outputs } = await loaded.run(trial);
      for (const [i, name] of values.entries()) {
        const found = { min: numberOf(outputs[2 * i]!), max: numberOf(outputs[2 * i + 1]!) };
        ranges.set(name, joined(ranges.get(name) ?? found, found));
      }
    }
    await loaded.close();
    return ranges;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function joined(a: ValueRange, b: ValueRange): ValueRange {
  return { min: Math.min(a.min, b.min), max: Math.max(a.max, b.max) };
}

/** A float32 scalar. */
function numberOf({ bytes }: Tensor): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getFloat32(0, true);
}

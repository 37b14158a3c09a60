import { join } from "node:path";
import { calibrationModel, ValueHistogram, type ValueRange } from "@sconce/torch";
import type { Tensor } from "../base/tensor.ts";
import type { OpenModel } from "./open-model.ts";
import type { RangeMethod } from "./range-method.ts";
import { withTemporaryFolder } from "./temporary-folder.ts";
import type { Trial } from "./trial-inputs.ts";
import type { LoadTrial } from "./trial-runtime.ts";
import { writeOnnx } from "./write-onnx.ts";

export interface Measuring {
  readonly load: LoadTrial;
  readonly trials: readonly Trial[];
  readonly exclude: ReadonlySet<string>;
  readonly method: RangeMethod;
}

/** What runs on typical inputs add up to. */
interface Measurement {
  readonly tells: "ranges" | "values";
  /** Takes the outputs of a calibration model of that kind. */
  add(values: readonly string[], outputs: readonly Tensor[]): void;
  ranges(): ReadonlyMap<string, ValueRange>;
}

/**
 * Runs a model on typical inputs and answers the range of every value that static quantization needs. A NaN anywhere makes a range of
 * NaNs. Throws ServeError when the model takes one of the inputs badly, ModelFileError when it has nothing to measure.
 */
export async function measureRanges(
  { model, read }: OpenModel,
  { load, trials, exclude, method }: Measuring,
): Promise<ReadonlyMap<string, ValueRange>> {
  const measurement = method.kind === "minmax" ? extremes() : middle(method.percentile);
  const { model: measuring, values } = calibrationModel(model, { exclude, tells: measurement.tells });
  return withTemporaryFolder("calibration", async (folder) => {
    const file = join(folder, "model.onnx");
    writeOnnx(file, measuring, { read });
    const loaded = await load(file);
    for (const trial of trials) measurement.add(values, (await loaded.run(trial)).outputs);
    await loaded.close();
    return measurement.ranges();
  });
}

/** From the smallest to the largest number. */
function extremes(): Measurement {
  const ranges = new Map<string, ValueRange>();
  return {
    tells: "ranges",
    add(values, outputs) {
      for (const [i, name] of values.entries()) {
        const [min, max] = [floatsOf(outputs[2 * i]!)[0]!, floatsOf(outputs[2 * i + 1]!)[0]!];
        const known = ranges.get(name) ?? { min, max };
        ranges.set(name, { min: Math.min(known.min, min), max: Math.max(known.max, max) });
      }
    },
    ranges: () => ranges,
  };
}

/** Where the middle so many percent of the numbers lie. */
function middle(percentile: number): Measurement {
  const histograms = new Map<string, ValueHistogram>();
  return {
    tells: "values",
    add(values, outputs) {
      for (const [i, name] of values.entries()) {
        const histogram = histograms.get(name) ?? new ValueHistogram();
        histogram.add(floatsOf(outputs[i]!));
        histograms.set(name, histogram);
      }
    },
    ranges: () => new Map([...histograms].map(([name, histogram]) => [name, histogram.range(percentile)])),
  };
}

function floatsOf({ bytes }: Tensor): Float32Array {
  const aligned = bytes.byteOffset % Float32Array.BYTES_PER_ELEMENT === 0 ? bytes : bytes.slice();
  return new Float32Array(
    aligned.buffer,
    aligned.byteOffset,
    aligned.byteLength / Float32Array.BYTES_PER_ELEMENT,
  );
}

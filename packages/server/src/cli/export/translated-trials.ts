import { compareTensors } from "../../base/compare-tensors.ts";
import type { NamedTensor, Tensor } from "../../base/tensor.ts";
import { withPlacedTensors } from "../placed-tensor.ts";
import type { TrialModel } from "../trial-runtime.ts";
import type { ExportTrial } from "./run-export.ts";

/** A model beside the Python code, over all sizes that were compared. */
export interface TranslatedRuns {
  /** The largest difference, relative to 1 plus the value; infinite where shapes or types differ. */
  readonly error: number;
  /** Where it was, in words; "": nowhere. */
  readonly words: string;
  /** Trials that the model answered. */
  readonly sizes: number;
  /** What the model answered nothing to, although the exported program does. */
  readonly failed: readonly { readonly shapes: ExportTrial["shapes"]; readonly why: string }[];
  /** Milliseconds of the fastest of some runs on the inputs of the first trial. */
  readonly ms: number | undefined;
}

const TIMED_RUNS = 5;

/** Runs a model on the inputs that the code was run on, and compares the answers. `file`: what `runExport` wrote. */
export async function translatedRuns(
  model: Pick<TrialModel, "run">,
  trials: readonly ExportTrial[],
  file: string,
): Promise<TranslatedRuns> {
  return withPlacedTensors(file, async (read) => {
    let worst = { error: 0, words: "" };
    let sizes = 0;
    let ms: number | undefined;
    const failed: TranslatedRuns["failed"][number][] = [];
    for (const { shapes, inputs = [], outputs } of trials) {
      if (outputs === undefined) continue;
      const trial = { label: "", inputs: inputs.map(read) };
      try {
        const found = difference((await model.run(trial)).outputs, outputs.map(read));
        if (found.error > worst.error) worst = found;
        sizes += 1;
        ms ??= await timed(() => model.run(trial));
      } catch (error) {
        failed.push({ shapes, why: error instanceof Error ? error.message : String(error) });
      }
    }
    return { ...worst, sizes, failed, ms };
  });
}

function difference(
  got: readonly Tensor[],
  want: readonly Tensor[],
): { readonly error: number; readonly words: string } {
  if (got.length !== want.length)
    return { error: Number.POSITIVE_INFINITY, words: `${got.length} outputs instead of ${want.length}` };
  let worst = { error: 0, words: "" };
  for (const [i, expected] of want.entries()) {
    const { error, words } = compareTensors(named(got[i]!, i), named(expected, i));
    if (error > worst.error) worst = { error, words: `output ${i} ${words}` };
  }
  return worst;
}

function named(tensor: Tensor, at: number): NamedTensor {
  return { ...tensor, name: String(at) };
}

async function timed(run: () => Promise<{ readonly computeMs: number }>): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < TIMED_RUNS; i++) times.push((await run()).computeMs);
  return Math.min(...times);
}

import { sizeText } from "../size-text.ts";
import type { StatedInputs } from "../stated-inputs.ts";
import { makeTrials, type Trial } from "../trial-inputs.ts";
import type { LoadTrial, TrialModel } from "../trial-runtime.ts";
import { batchingText } from "./facts-text.ts";
import type { ModelFileFacts } from "./model-file-facts.ts";

/** What a model was seen to take when it was loaded as a server loads it. */
export interface Measured {
  readonly loadMs: Readonly<Record<string, number>>;
  /** Of the worker that holds it; undefined where the system does not say. */
  readonly residentBytes: number | undefined;
  /** Median milliseconds of runs with made-up inputs; undefined where none could be made up. */
  readonly runs: readonly { readonly label: string; readonly ms: number }[];
  readonly batching: string;
  readonly warnings: readonly string[];
}

const TIMED_RUNS = 9;

/** Loads a file in a worker of its own, and runs it. Rejects with ServeError when it cannot be loaded. */
export async function measureFile(
  load: LoadTrial,
  file: string,
  { inputs, facts }: { readonly inputs: StatedInputs | undefined; readonly facts: ModelFileFacts },
): Promise<Measured> {
  const model = await load(file, inputs);
  const { signature, loadMs, warnings } = model.description;
  const runs = await timedRuns(model);
  return {
    loadMs,
    residentBytes: await model.residentBytes(),
    runs,
    batching: batchingText(
      signature.batching,
      facts.summary.format === "onnx" ? "pt2" : facts.summary.format,
    ),
    warnings,
  };
}

async function timedRuns(model: TrialModel): Promise<Measured["runs"]> {
  const trials = trialsOf(model);
  const timed: { label: string; ms: number }[] = [];
  for (const trial of trials) {
    const ms = await medianMs(model, trial).catch(() => undefined);
    if (ms !== undefined) timed.push({ label: trial.label.replace(/ #\d+$/, ""), ms });
  }
  return timed;
}

function trialsOf({ signature }: TrialModel): Trial[] {
  try {
    return makeTrials(signature, { bounds: new Map(), seed: 0 }).filter(({ label }) => label.endsWith("#1"));
  } catch {
    // Texts cannot be made up.
    return [];
  }
}

async function medianMs(model: TrialModel, trial: Trial): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < TIMED_RUNS; i++) times.push((await model.run(trial)).computeMs);
  return times.sort((a, b) => a - b)[times.length >> 1]!;
}

/** The lines that take the place of estimates. */
export function measuredText({ loadMs, residentBytes, runs, batching, warnings }: Measured): string {
  const steps = Object.entries(loadMs).map(([step, ms]) => `${step} ${ms.toFixed(0)} ms`);
  const lines = [
    `loaded      ${steps.join(", ")}`,
    ...(residentBytes === undefined ? [] : [`  memory    ${sizeText(residentBytes)} in its worker`]),
    ...runs.map(({ label, ms }) => `  run       ${label}: ${ms.toPrecision(3)} ms`),
    `  batching  ${batching}`,
    ...warnings.map((warning) => `  warning   ${warning}`),
  ];
  return `${lines.join("\n")}\n`;
}

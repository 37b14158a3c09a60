import { performance } from "node:perf_hooks";
import { ServeError } from "../base/errors.ts";
import { OutputComparison, type OutputDifference } from "./compare-outputs.ts";
import { type ServedRun, servedRuns } from "./served-runs.ts";
import type { Trial } from "./trial-inputs.ts";
import type { TrialModel } from "./trial-runtime.ts";

/** How a changed model compares with the one it was made from. */
export interface Comparison {
  readonly outputs: readonly OutputDifference[];
  /** Trials that were run, and those that the float model itself rejects. */
  readonly trials: readonly string[];
  readonly rejected: readonly string[];
  /** Rows that were compared, and the runs that it took, each as large as the server would make it. */
  readonly rows: number;
  readonly runs: number;
  /** Rows of the largest run, and median milliseconds in each model for it. */
  readonly timedRows: number;
  readonly before: number;
  readonly after: number;
}

/** How the models are run. */
export interface ComparisonOptions {
  /** Most rows of one run where requests share runs. */
  readonly maxRows: number;
}

const TIMED_RUNS = 15;
const TIMED_MS = 3_000;

/** Runs both models on all trials and compares what they answer. Throws ServeError when the float model takes none of them. */
export async function compareModels(
  before: TrialModel,
  after: TrialModel,
  trials: readonly Trial[],
  { maxRows }: ComparisonOptions,
): Promise<Comparison> {
  const outputs = before.signature.outputs.map(({ name }) => new OutputComparison(name));
  const ran: ServedRun[] = [];
  const rejected: string[] = [];
  let why: unknown;
  for (const run of trials.flatMap((trial) => servedRuns(trial, before.signature, maxRows))) {
    const want = await before.run(run).catch((error: unknown) => {
      why = error;
      if (!rejected.includes(run.label)) rejected.push(run.label);
    });
    if (want === undefined) continue;
    const got = await after.run(run);
    for (const [i, output] of outputs.entries()) output.add(want.outputs[i]!, got.outputs[i]!);
    ran.push(run);
  }
  if (ran.length === 0) {
    throw new ServeError(
      "invalid_argument",
      `the model itself fails on these inputs (${ServeError.from(why).message}); give others with --input`,
    );
  }
  const largest = ran.reduce((a, b) => (bytesOf(b) > bytesOf(a) ? b : a));
  return {
    outputs: outputs.map((output) => output.finish()),
    trials: [...new Set(ran.map(({ label }) => label))],
    rejected,
    rows: ran.reduce((sum, { rows }) => sum + rows, 0),
    runs: ran.length,
    timedRows: largest.rows,
    ...(await timed(before, after, largest)),
  };
}

/** In turns, so that whatever else the machine does falls on both. */
async function timed(
  before: TrialModel,
  after: TrialModel,
  trial: Trial,
): Promise<{ before: number; after: number }> {
  const [a, b]: [number[], number[]] = [[], []];
  const endMs = performance.now() + TIMED_MS;
  for (let i = 0; i < TIMED_RUNS && (i < 3 || performance.now() < endMs); i++) {
    a.push((await before.run(trial)).computeMs);
    b.push((await after.run(trial)).computeMs);
  }
  return { before: median(a), after: median(b) };
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[values.length >> 1]!;
}

function bytesOf({ inputs }: Trial): number {
  return inputs.reduce((sum, { bytes }) => sum + bytes.length, 0);
}

import { performance } from "node:perf_hooks";
import { ServeError } from "../../base/errors.ts";
import type { Signature } from "../../base/signature.ts";
import type { Tensor } from "../../base/tensor.ts";
import type { LoadOptions } from "../runtime.ts";
import { type SettledSignature, settleClaims, type TrialRun } from "./claims.ts";
import { OnnxSession } from "./onnx-session.ts";
import type { OpenedModel } from "./opened-model.ts";
import { settleThreads } from "./settle-threads.ts";
import { batchInputs, rankVariants, smallestInputs, withUnlikeRows } from "./warm-up-inputs.ts";

/** What a busy server runs most. */
const TYPICAL_ROWS = 8;
/** Enough to see whether rows are independent. */
const FEW_ROWS = 2;
/** When one row takes longer, a typical batch is left for when there is nothing else to do. */
const PATIENCE_MS = 10;
/** When one row takes longer than this, a typical batch is not worth that a request may come meanwhile and wait for it. */
const ENDURANCE_MS = 100;

export interface WarmUp extends SettledSignature {
  /** The one to run the model with. */
  readonly session: OnnxSession;
  readonly ms: number;
  /** Inputs of a run that would have kept the model from being ready; undefined: there is none. */
  readonly later: readonly Tensor[] | undefined;
}

interface Trials extends Pick<WarmUp, "later"> {
  readonly runs: readonly TrialRun[];
  readonly isSlow: boolean;
}

interface Pace {
  /** How often each input is run. */
  readonly times: number;
  readonly nowMs: () => number;
}

const NO_TRIALS: Trials = { runs: [], isSlow: false, later: undefined };

/**
 * Runs the model before anybody waits for it: on the inputs that came with the file, which must work, and on made-up ones. Throws
 * ServeError `failed_precondition`/`warmup_failed`.
 */
export async function warmUp(
  opened: OpenedModel,
  options: Pick<LoadOptions, "warmupRuns" | "mayUseFewerThreads" | "threadsPerInstance">,
  nowMs: () => number = () => performance.now(),
): Promise<WarmUp> {
  const startMs = nowMs();
  const warnings: string[] = [];
  const { signature, sampleInputs } = opened;
  let session = new OnnxSession(opened.session, opened);
  if (options.warmupRuns > 0 && sampleInputs !== undefined) await runSamples(session, sampleInputs);
  let trials = NO_TRIALS;
  try {
    trials = await tryOut(session, signature, { times: options.warmupRuns, nowMs });
    const last = trials.runs.at(-1);
    const maySettle = options.mayUseFewerThreads === true && options.threadsPerInstance > 1;
    if (maySettle && last !== undefined && !trials.isSlow) {
      session = await settleThreads({ session, opened, inputs: last.inputs, nowMs });
    }
  } catch (error) {
    // Made-up inputs may break a rule that no signature can express.
    warnings.push(`the warm-up with made-up inputs failed: ${messageOf(error)}`);
  }
  const settled = settleClaims(signature, trials.runs);
  return {
    session,
    signature: settled.signature,
    warnings: [...warnings, ...settled.warnings],
    ms: nowMs() - startMs,
    later: settled.signature.batching.kind === "on" ? trials.later : undefined,
  };
}

async function runSamples(session: OnnxSession, inputs: readonly Tensor[]): Promise<void> {
  try {
    await session.run(inputs);
  } catch (error) {
    throw new ServeError(
      "failed_precondition",
      `the model fails on the sample inputs it was exported with: ${messageOf(error)}`,
      { reason: "warmup_failed", cause: error },
    );
  }
}

/** Runs on made-up inputs, and returns the first run of each. Rejects with what the model says to the first that it does not take. */
async function tryOut(session: OnnxSession, signature: Signature, pace: Pace): Promise<Trials> {
  let failure: unknown;
  if (pace.times === 0) return NO_TRIALS;
  for (const variant of rankVariants(signature)) {
    try {
      return await tryVariant(session, variant, pace);
    } catch (error) {
      failure ??= error;
    }
  }
  throw failure;
}

async function tryVariant(
  session: OnnxSession,
  signature: Signature,
  { times, nowMs }: Pace,
): Promise<Trials> {
  const startMs = nowMs();
  const alone = await runOften(session, smallestInputs(signature), times);
  const aloneMs = (nowMs() - startMs) / times;
  const isSlow = aloneMs > PATIENCE_MS;
  const batch = batchInputs(signature, isSlow ? FEW_ROWS : TYPICAL_ROWS);
  if (batch === undefined) return { runs: [alone], isSlow, later: undefined };
  const together = await runTogether(session, batch, { signature, times });
  const isForLater = isSlow && aloneMs <= ENDURANCE_MS;
  const later = isForLater ? batchInputs(signature, TYPICAL_ROWS) : undefined;
  return { runs: [alone, together], isSlow, later };
}

/** Rows that differ, where the model takes them. */
async function runTogether(
  session: OnnxSession,
  batch: readonly Tensor[],
  { signature, times }: { readonly signature: Signature; readonly times: number },
): Promise<TrialRun> {
  const unlike = withUnlikeRows(batch, signature);
  if (unlike === undefined) return runOften(session, batch, times);
  try {
    return await runOften(session, unlike, times);
  } catch {
    return runOften(session, batch, times);
  }
}

/** The first of so many runs. */
async function runOften(session: OnnxSession, inputs: readonly Tensor[], times: number): Promise<TrialRun> {
  const result = await session.run(inputs);
  for (let i = 1; i < times; i++) await session.run(inputs);
  return { inputs, result };
}

function messageOf(error: unknown): string {
  return ServeError.from(error).message;
}

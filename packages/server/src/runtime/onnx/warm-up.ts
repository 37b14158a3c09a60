import { performance } from "node:perf_hooks";
import { ServeError } from "../../base/errors.ts";
import type { Tensor } from "../../base/tensor.ts";
import type { LoadOptions } from "../runtime.ts";
import { OnnxSession } from "./onnx-session.ts";
import type { OpenedModel } from "./opened-model.ts";
import { settleThreads } from "./settle-threads.ts";
import { warmUpInputs } from "./warm-up-inputs.ts";

/** When the smallest run takes longer, a typical batch is left for when there is nothing else to do. */
const PATIENCE_MS = 10;

export interface WarmUp {
  /** The one to run the model with. */
  readonly session: OnnxSession;
  readonly ms: number;
  readonly warnings: string[];
  /** Inputs of a run that would have kept the model from being ready; undefined: there is none. */
  readonly later: readonly Tensor[] | undefined;
}

/**
 * Runs the model before anybody waits for it: on the inputs that came with the file, which must work, and on made-up ones. Throws
 * ServeError `failed_precondition`/`warmup_failed`.
 */
export async function warmUp(opened: OpenedModel, options: LoadOptions): Promise<WarmUp> {
  const startMs = performance.now();
  const session = new OnnxSession(opened.session, opened.signature);
  const done = (rest: Partial<WarmUp>): WarmUp => ({
    session,
    warnings: [],
    later: undefined,
    ms: performance.now() - startMs,
    ...rest,
  });
  if (options.warmupRuns === 0) return done({});
  await runSamples(session, opened.sampleInputs);
  try {
    const { smallest, typical } = warmUpInputs(opened.signature);
    const smallestMs = await runOften(session, smallest, options.warmupRuns);
    if (smallestMs > PATIENCE_MS) return done({ later: typical });
    if (typical !== undefined) await runOften(session, typical, options.warmupRuns);
    return done({ session: await settled(session, opened, { options, inputs: typical ?? smallest }) });
  } catch (error) {
    // Made-up inputs may break a rule that no signature can express.
    return done({ warnings: [`the warm-up with made-up inputs failed: ${messageOf(error)}`] });
  }
}

async function runSamples(session: OnnxSession, inputs: OpenedModel["sampleInputs"]): Promise<void> {
  if (inputs === undefined) return;
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

/** How long the quickest of the runs took, in milliseconds. */
async function runOften(session: OnnxSession, inputs: readonly Tensor[], runs: number): Promise<number> {
  let bestMs = Number.POSITIVE_INFINITY;
  for (let i = 0; i < runs; i++) {
    const startMs = performance.now();
    await session.run(inputs);
    bestMs = Math.min(bestMs, performance.now() - startMs);
  }
  return bestMs;
}

function settled(
  session: OnnxSession,
  opened: OpenedModel,
  { options, inputs }: { readonly options: LoadOptions; readonly inputs: readonly Tensor[] },
): Promise<OnnxSession> | OnnxSession {
  if (options.mayUseFewerThreads !== true || options.threadsPerInstance <= 1) return session;
  return settleThreads({ session, opened, inputs, nowMs: () => performance.now() });
}

function messageOf(error: unknown): string {
  return ServeError.from(error).message;
}

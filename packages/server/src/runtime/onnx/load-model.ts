import { performance } from "node:perf_hooks";
import type { ByteSource } from "@sconce/torch";
import { detectFile, type FileFormat, formatAdvice, isProgram, isWeights } from "@sconce/torch/formats";
import { ServeError } from "../../base/errors.ts";
import type { ModelDescription } from "../../base/model-description.ts";
import { openBelow } from "../../base/open-below.ts";
import type { Signature } from "../../base/signature.ts";
import type { Tensor } from "../../base/tensor.ts";
import type { HostedModel, HostedResult } from "../model-host.ts";
import type { LoadMessage } from "../model-messages.ts";
import type { LoadOptions } from "../runtime.ts";
import { type SettledSignature, settleClaims, type TrialRun } from "./claims.ts";
import { LoadedFiles } from "./loaded-files.ts";
import { modelDigest } from "./model-digest.ts";
import { modelFileError } from "./model-error.ts";
import { OnnxSession } from "./onnx-session.ts";
import { openArchive } from "./open-archive.ts";
import { openOnnx } from "./open-onnx.ts";
import type { OpenContext, OpenedModel } from "./opened-model.ts";
import { settleThreads } from "./settle-threads.ts";
import { rankVariants, warmUpInputs } from "./warm-up.ts";

/** Loads a model file of any kind this runtime knows, and warms it up. Throws ServeError `failed_precondition` with what to do. */
export async function loadModel(
  message: LoadMessage,
  progress: (stage: string) => void,
): Promise<HostedModel> {
  const files = new LoadedFiles();
  try {
    return await loadFiles(files, message, progress);
  } catch (error) {
    files.close();
    throw error;
  }
}

async function loadFiles(
  files: LoadedFiles,
  { spec, wantsDigest }: LoadMessage,
  progress: (stage: string) => void,
): Promise<HostedModel> {
  const { options, root } = spec;
  const file = openBelow(root, spec.file);
  const source = files.hold(file);
  const digest = wantsDigest ? modelDigest(file.path, { ...options, root }) : Promise.resolve("");
  // It may fail while something else fails first; then nobody awaits it.
  digest.catch(() => {});
  const context: OpenContext = { options, root, progress, hold: (further) => files.hold(further) };
  const opened = await openFile(file.path, source, context).catch((error: unknown) => {
    throw modelFileError(error);
  });
  progress("warmup");
  const warmup = await warmUp(opened, options);
  const { session } = warmup;
  const description: ModelDescription = {
    signature: warmup.signature,
    platform: opened.platform,
    runtime: "onnx",
    runtimeReason: opened.runtimeReason,
    parameterCount: opened.parameterCount,
    weightBytes: opened.weightBytes,
    digest: await digest,
    warnings: [...opened.warnings, ...warmup.warnings],
    loadMs: { ...opened.loadMs, warmup: warmup.ms },
  };
  files.checkNames();
  return { description, files: files.stamps, run: (inputs) => runChecked(session, files, inputs) };
}

/** What a file that changed meanwhile made of a run, be it a result or a failure, nobody gets to see. */
function runChecked(
  session: OnnxSession,
  files: LoadedFiles,
  inputs: readonly Tensor[],
): HostedResult | Promise<HostedResult> {
  files.checkBeforeRun();
  let result: HostedResult | Promise<HostedResult>;
  try {
    result = session.run(inputs);
  } catch (error) {
    files.check();
    throw error;
  }
  if (result instanceof Promise) return result.finally(() => files.check());
  files.check();
  return result;
}

async function openFile(path: string, source: ByteSource, context: OpenContext): Promise<OpenedModel> {
  const open = openerOf(detectFile(source));
  return open(path, source, context);
}

function openerOf(format: FileFormat): typeof openOnnx {
  if (format === "onnx") return openOnnx;
  // Opened all the same, a zip says itself what is wrong with it.
  if (isProgram(format) || format === "damaged-zip" || format === "large-zip") return openArchive;
  throw new ServeError("failed_precondition", formatAdvice(format), {
    reason: isWeights(format) ? "weights_only" : "unknown_format",
  });
}

interface WarmUp extends SettledSignature {
  /** The one to run the model with. */
  readonly session: OnnxSession;
  readonly ms: number;
}

/** Runs the model before anybody waits for it: on the inputs that came with the file, which must work, and on made-up ones. */
async function warmUp(opened: OpenedModel, options: LoadOptions): Promise<WarmUp> {
  const startMs = performance.now();
  const warnings: string[] = [];
  const { signature, sampleInputs } = opened;
  const runs = options.warmupRuns;
  let session = new OnnxSession(opened.session, opened);
  if (runs > 0 && sampleInputs !== undefined) await runSamples(session, sampleInputs);
  let trials: readonly TrialRun[] = [];
  try {
    trials = await trialRuns(session, signature, runs);
    const typical = trials.at(-1);
    if (typical !== undefined && options.mayUseFewerThreads === true && options.threadsPerInstance > 1) {
      const nowMs = () => performance.now();
      session = await settleThreads({ session, opened, inputs: typical.inputs, nowMs });
    }
  } catch (error) {
    // Made-up inputs may break a rule that no signature can express.
    warnings.push(`the warm-up with made-up inputs failed: ${messageOf(error)}`);
  }
  const settled = settleClaims(signature, trials);
  return {
    session,
    signature: settled.signature,
    warnings: [...warnings, ...settled.warnings],
    ms: performance.now() - startMs,
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
async function trialRuns(session: OnnxSession, signature: Signature, runs: number): Promise<TrialRun[]> {
  let failure: unknown;
  for (const variant of rankVariants(signature)) {
    try {
      const trials: TrialRun[] = [];
      for (let i = 0; i < runs; i++) {
        for (const inputs of warmUpInputs(variant)) {
          const result = await session.run(inputs);
          if (i === 0) trials.push({ inputs, result });
        }
      }
      return trials;
    } catch (error) {
      failure ??= error;
    }
  }
  throw failure;
}

function messageOf(error: unknown): string {
  return ServeError.from(error).message;
}

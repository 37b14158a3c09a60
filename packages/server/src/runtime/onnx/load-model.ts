import { freemem } from "node:os";
import { closeRead } from "../../base/close-read.ts";
import type { ModelDescription } from "../../base/model-description.ts";
import { once } from "../../base/once.ts";
import { openBelow } from "../../base/open-below.ts";
import type { Tensor } from "../../base/tensor.ts";
import type { HostedModel, HostedResult } from "../model-host.ts";
import type { LoadMessage } from "../model-messages.ts";
import type { LoadOptions, ProfileRequest } from "../runtime.ts";
import { builtFor, deviceOfInstance } from "./execution-provider.ts";
import { LoadedFiles } from "./loaded-files.ts";
import { modelDigest } from "./model-digest.ts";
import type { OnnxSession } from "./onnx-session.ts";
import { openWarm } from "./open-warm.ts";
import type { OpenContext, OpenedModel } from "./opened-model.ts";
import { alsoOfNothing } from "./run-of-nothing.ts";
import { type FileTranslation, keptTranslationOf } from "./translation-cache.ts";

/** What is written in a moment. */
const KEPT_AT_ONCE_BYTES = 1024 * 1024;
/** An engine that opens a model sooner has nothing to gain. */
const SLOW_SESSION_MS = 60;
const MOST_WEIGHT_BYTES = 256 * 1024 * 1024;
const LEAST_WEIGHT_BYTES = 1024 * 1024;
/** Three sessions at most are open at once, and one may hold its weights twice for a moment; and as much again stays free. */
const COPIES_OF_WEIGHTS = 8;
const PROCESS_BYTES = 512 * 1024 * 1024;

const NOT_OPTIMISED =
  "ONNX Runtime crashed where it optimises this model's graph, so the graph runs as it is: the answers are the same, but slower";

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
  { spec, instance = 0, wantsDigest, digest: known = "" }: LoadMessage,
  progress: (stage: string) => void,
): Promise<HostedModel> {
  const { root } = spec;
  const device = deviceOfInstance(spec.options.device ?? "auto", instance, builtFor);
  const options = { ...spec.options, device };
  const file = openBelow(root, spec.file);
  const source = files.hold(file);
  const digest = wantsDigest ? modelDigest(file.path, { ...options, root }) : Promise.resolve(known);
  // It may fail while something else fails first; then nobody awaits it.
  digest.catch(() => {});
  const context: OpenContext = {
    options,
    root,
    progress,
    hold: (further) => files.hold(further),
    holdOwn: (made) => void files.holdOwn(made),
  };
  const translation = keptTranslationOf(file.path, source.byteLength, options);
  const { opened, warmup } = await openWarm({ path: file.path, source, context, translation, digest });
  const { session, later } = warmup;
  const description: ModelDescription = {
    signature: warmup.signature,
    platform: opened.platform,
    runtime: "onnx",
    runtimeReason: device === "cpu" ? opened.runtimeReason : `${opened.runtimeReason}, on ${device}`,
    ...(device !== "cpu" && { computesOn: device }),
    parameterCount: opened.parameterCount,
    weightBytes: opened.weightBytes,
    digest: wantsDigest ? await digest : "",
    warnings: [
      ...opened.warnings,
      ...warmup.warnings,
      ...(options.isOptimised === false ? [NOT_OPTIMISED] : []),
    ],
    loadMs: { ...opened.loadMs, warmup: warmup.ms },
  };
  files.checkNames();
  const keep = keeper(opened, translation, await digest);
  const stamps = files.stamps;
  const plain = alsoOfNothing((inputs) => session.run(inputs), description.signature);
  const run: HostedModel["run"] = opened.isCopied ? plain : (inputs) => runChecked(plain, files, inputs);
  // What was copied does not change, whatever becomes of the files.
  if (opened.isCopied) files.close();
  const { profile } = options;
  if (profile !== undefined) {
    return { description, files: stamps, run: profiledRun(run, session, profile) };
  }
  return {
    description,
    files: stamps,
    mayOptimise: mayOptimise(opened, translation, { ...options, digest: await digest }),
    run,
    ...((later !== undefined || keep !== undefined) && {
      warmUp: async () => {
        keep?.();
        if (later !== undefined) await run(later);
      },
    }),
  };
}

/** The run that completes a profile has it written. */
function profiledRun(
  run: HostedModel["run"],
  session: OnnxSession,
  { skip, runs }: ProfileRequest,
): HostedModel["run"] {
  let left = skip + runs;
  return async (inputs) => {
    const result = await run(inputs);
    left -= 1;
    if (left === 0) session.endProfiling();
    return result;
  };
}

/** Whether the engine takes long to open what was opened, and nobody has tried yet to keep that for later starts. */
function mayOptimise(
  { loadMs: { session = 0 }, weightBytes }: OpenedModel,
  translation: FileTranslation | undefined,
  { isolation, memoryLimitBytes, digest }: LoadOptions & { readonly digest: string },
): boolean {
  if (translation === undefined || digest === "" || session < SLOW_SESSION_MS) return false;
  // It takes as much memory as the model itself, once.
  if (isolation !== "process" || memoryLimitBytes !== undefined || weightBytes > MOST_WEIGHT_BYTES)
    return false;
  // That it took long was the machine's fault.
  if (weightBytes < LEAST_WEIGHT_BYTES) return false;
  // Nobody shall be killed for want of memory over it.
  if (availableBytes() < PROCESS_BYTES + COPIES_OF_WEIGHTS * weightBytes) return false;
  const known = translation.findOptimised();
  if (known.kind === "useless") return known.digest !== undefined && known.digest !== digest;
  if (known.kind === "untried") return true;
  closeRead(known.weights.fd);
  return known.kept.digest !== digest;
}

/** Of the machine, or of the container that this process runs in. */
function availableBytes(): number {
  return Math.min(process.availableMemory(), freemem());
}

/** Keeps a translation that was made just now: a small one at once, a larger one by the result, when there is nothing else to do. */
function keeper(
  { translated: program }: OpenedModel,
  translation: FileTranslation | undefined,
  digest: string,
): (() => void) | undefined {
  if (program === undefined || translation === undefined || digest === "") return undefined;
  const keep = (): void => translation.keep({ digest, program });
  if (program.model.byteLength > KEPT_AT_ONCE_BYTES) return once(keep);
  keep();
  return undefined;
}

/** What a file that changed meanwhile made of a run, be it a result or a failure, nobody gets to see. */
function runChecked(
  run: HostedModel["run"],
  files: LoadedFiles,
  inputs: readonly Tensor[],
): HostedResult | Promise<HostedResult> {
  files.checkBeforeRun();
  let result: HostedResult | Promise<HostedResult>;
  try {
    result = run(inputs);
  } catch (error) {
    files.check();
    throw error;
  }
  if (result instanceof Promise) return result.finally(() => files.check());
  files.check();
  return result;
}

import type { ByteSource } from "@sconce/torch";
import { detectFile, type FileFormat, formatAdvice, isProgram, isWeights } from "@sconce/torch/formats";
import { ServeError } from "../../base/errors.ts";
import type { ModelDescription } from "../../base/model-description.ts";
import { openBelow } from "../../base/open-below.ts";
import type { Tensor } from "../../base/tensor.ts";
import type { HostedModel, HostedResult } from "../model-host.ts";
import type { LoadMessage } from "../model-messages.ts";
import { LoadedFiles } from "./loaded-files.ts";
import { modelDigest } from "./model-digest.ts";
import { modelFileError } from "./model-error.ts";
import type { OnnxSession } from "./onnx-session.ts";
import { openArchive } from "./open-archive.ts";
import { openOnnx } from "./open-onnx.ts";
import type { OpenContext, OpenedModel } from "./opened-model.ts";
import { withRowsKeptApart } from "./rows-kept-apart.ts";
import { warmUp } from "./warm-up.ts";

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
  const found = await openFile(file.path, source, context).catch((error: unknown) => {
    throw modelFileError(error);
  });
  const opened = options.mayMixRows === true ? found : withRowsKeptApart(found);
  progress("warmup");
  const warmup = await warmUp(opened, options);
  const { session, later } = warmup;
  const description: ModelDescription = {
    signature: warmup.signature,
    platform: opened.platform,
    runtime: "onnx",
    runtimeReason: opened.runtimeReason,
    parameterCount: opened.parameterCount,
    weightBytes: opened.weightBytes,
    digest: await digest,
    warnings: [
      ...opened.warnings,
      ...warmup.warnings,
      ...(options.isOptimised === false ? [NOT_OPTIMISED] : []),
    ],
    loadMs: { ...opened.loadMs, warmup: warmup.ms },
  };
  files.checkNames();
  return {
    description,
    files: files.stamps,
    run: (inputs) => runChecked(session, files, inputs),
    ...(later !== undefined && {
      warmUp: async () => void (await runChecked(session, files, later)),
    }),
  };
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

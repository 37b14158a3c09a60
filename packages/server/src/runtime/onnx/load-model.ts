import { realpathSync } from "node:fs";
import { performance } from "node:perf_hooks";
import { type FileSource, openFileSource } from "@sconce/torch/node";
import { InferenceSession } from "onnxruntime-node";
import { ServeError } from "../../base/errors.ts";
import type { ModelDescription } from "../../base/model-description.ts";
import type { Signature } from "../../base/signature.ts";
import type { Tensor } from "../../base/tensor.ts";
import type { HostedModel } from "../model-host.ts";
import type { LoadMessage } from "../model-messages.ts";
import type { LoadOptions } from "../runtime.ts";
import { fileDigest } from "./file-digest.ts";
import { checkExternalFiles, fileKind } from "./file-kind.ts";
import { loadError } from "./model-error.ts";
import { readOnnxFile } from "./onnx-file.ts";
import { OnnxModel, warmUp } from "./onnx-model.ts";
import { sessionOptions } from "./session-options.ts";
import { signatureOfSession } from "./signature.ts";
import { warmUpInputs } from "./warm-up.ts";

/** A file that became a session, and what was learned on the way. */
export interface OpenedModel {
  readonly session: InferenceSession;
  readonly signature: Signature;
  readonly platform: string;
  readonly runtimeReason: string;
  readonly parameterCount: number;
  readonly weightBytes: number;
  readonly warnings: readonly string[];
  readonly loadMs: Record<string, number>;
  /** Inputs that came with the file, for the warm-up. */
  readonly sampleInputs: readonly Tensor[] | undefined;
}

/** Loads a model file of any kind this runtime knows, and warms it up. Throws ServeError `failed_precondition` with what to do. */
export async function loadModel(
  message: LoadMessage,
  progress: (stage: string) => void,
): Promise<HostedModel> {
  const { options } = message.spec;
  refuseMissing(options);
  const path = realpathSync(message.spec.file);
  const source = openFileSource(path);
  try {
    const opened = await open(path, source, { options, progress });
    const warnings = [...opened.warnings];
    const digest = message.wantsDigest ? fileDigest(path) : "";
    const description: ModelDescription = {
      signature: opened.signature,
      platform: opened.platform,
      runtime: "onnx",
      runtimeReason: opened.runtimeReason,
      parameterCount: opened.parameterCount,
      weightBytes: opened.weightBytes,
      digest,
      warnings,
      loadMs: opened.loadMs,
    };
    const model = new OnnxModel(opened.session, description);
    progress("warm-up");
    opened.loadMs["warmup"] = await warmUpModel(model, opened, { runs: options.warmupRuns, warnings });
    return model;
  } finally {
    source.close();
  }
}

async function open(
  path: string,
  source: FileSource,
  context: { readonly options: LoadOptions; readonly progress: (stage: string) => void },
): Promise<OpenedModel> {
  const { options, progress } = context;
  const kind = fileKind(source.read(0, Math.min(16, source.byteLength)));
  if (kind === "archive") {
    throw new ServeError("failed_precondition", "PyTorch archives cannot be translated yet; export to ONNX", {
      reason: "untranslatable",
    });
  }
  const file = readOnnxFile(source);
  checkExternalFiles(path, file.externalFiles);
  progress("session");
  const startMs = performance.now();
  const session = await InferenceSession.create(path, sessionOptions(options, undefined)).catch(
    (error: unknown) => {
      throw loadError(error);
    },
  );
  return {
    session,
    signature: signatureOfSession(session),
    platform: "onnx",
    runtimeReason: "the file is ONNX",
    parameterCount: file.parameterCount,
    weightBytes: file.weightBytes,
    warnings: [],
    loadMs: { session: performance.now() - startMs },
    sampleInputs: undefined,
  };
}

async function warmUpModel(
  model: HostedModel,
  opened: OpenedModel,
  options: { readonly runs: number; readonly warnings: string[] },
): Promise<number> {
  if (options.runs === 0) return 0;
  let elapsedMs = 0;
  if (opened.sampleInputs !== undefined) elapsedMs += await warmUp(model, [opened.sampleInputs]);
  const made = warmUpInputs(opened.signature);
  try {
    for (let i = 0; i < options.runs; i++) elapsedMs += await warmUp(model, made);
  } catch (error) {
    // Made-up inputs may break a rule that the signature cannot express; only the file's own samples must work.
    options.warnings.push(`the warm-up with made-up inputs failed: ${ServeError.from(error).message}`);
  }
  return elapsedMs;
}

function refuseMissing(options: LoadOptions): void {
  const missing =
    options.weightsFile !== undefined
      ? "weights"
      : options.precision !== "float32"
        ? `precision: ${options.precision}`
        : undefined;
  if (missing === undefined) return;
  throw new ServeError("unimplemented", `the option ${missing} is not supported by this release`, {
    reason: "option_unsupported",
  });
}

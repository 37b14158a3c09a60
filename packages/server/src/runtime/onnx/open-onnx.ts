import { performance } from "node:perf_hooks";
import type { FileSource } from "@sconce/torch/node";
import { InferenceSession } from "onnxruntime-node";
import { checkExternalFiles } from "./file-kind.ts";
import { sessionError } from "./model-error.ts";
import { readOnnxFile } from "./onnx-file.ts";
import type { OpenContext, OpenedModel } from "./opened-model.ts";
import { sessionOptions } from "./session-options.ts";
import { signatureOfSession } from "./signature.ts";

/** Opens an ONNX file as it is. Throws ServeError `failed_precondition`. */
export async function openOnnx(path: string, source: FileSource, context: OpenContext): Promise<OpenedModel> {
  const file = readOnnxFile(source);
  checkExternalFiles(path, file.externalFiles);
  context.progress("session");
  const startMs = performance.now();
  const options = sessionOptions(context.options, undefined);
  const session = await InferenceSession.create(path, options).catch((error: unknown) => {
    throw sessionError(error);
  });
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

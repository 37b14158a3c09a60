import { basename, dirname } from "node:path";
import { performance } from "node:perf_hooks";
import { type ByteSource, type SampleTensor, type Translation, translate } from "@sconce/torch";
import { detectFile } from "@sconce/torch/formats";
import { nodePlatform } from "@sconce/torch/node";
import { ServeError } from "../../base/errors.ts";
import type { Tensor } from "../../base/tensor.ts";
import type { LoadOptions } from "../runtime.ts";
import { datatypeOfTorch } from "./datatypes.ts";
import { isDeclared } from "./declared-signature.ts";
import { createEngineSession } from "./engine-session.ts";
import { sessionError } from "./model-error.ts";
import { openWeights } from "./open-weights.ts";
import type { OpenContext, OpenedModel } from "./opened-model.ts";
import { declaredInputs, placedPorts } from "./placed-ports.ts";
import { renamedPorts } from "./rename.ts";
import { scriptInputs } from "./script-inputs.ts";
import { sessionOptions } from "./session-options.ts";
import { signatureOfPorts } from "./signature.ts";

const MOST_OPS_SHOWN = 50;

/**
 * Opens a program that PyTorch wrote: translates it in memory, and lets ONNX Runtime map its weights out of the very file by offset.
 * Throws ServeError `failed_precondition`; for a program that cannot be translated the message lists every op that stands against it.
 */
export async function openArchive(
  path: string,
  source: ByteSource,
  context: OpenContext,
): Promise<OpenedModel> {
  context.progress("translate");
  const translateStartMs = performance.now();
  const translation = translateFile(path, source, context);
  const { unsupported, warnings } = translation.report;
  if (unsupported.length > 0) throw untranslatable(unsupported);
  const { ports } = context.options;
  const signature = signatureOfPorts(translation, ports);
  context.progress("session");
  const sessionStartMs = performance.now();
  // The weights' location in the translation is the file's name, so its folder makes it the file that was read.
  const open = (options: LoadOptions) =>
    createEngineSession(translation.model, sessionOptions(options, dirname(path)));
  const session = await open(context.options).catch((error: unknown) => {
    throw sessionError(error);
  });
  return {
    session,
    reopen: (threads) => open({ ...context.options, threadsPerInstance: threads }),
    signature,
    rowMixing: translation.rowMixing,
    outputNames: session.outputMetadata
      .filter((_, i) => ports === undefined || isDeclared(translation.outputs[i]!, ports))
      .map(({ name }) => name),
    platform: `pytorch_${translation.format}`,
    runtimeReason: reasonOf(context.options),
    parameterCount: translation.parameterCount,
    weightBytes: translation.weightBytes,
    warnings,
    loadMs: { translate: sessionStartMs - translateStartMs, session: performance.now() - sessionStartMs },
    sampleInputs: sampleTensors(translation.sampleInputs),
  };
}

function reasonOf({ precision, weightsFile }: LoadOptions): string {
  const weights = weightsFile === undefined ? "" : `, with the weights of ${basename(weightsFile)}`;
  const stored = precision === "float32" ? "" : `, in precision ${precision}`;
  return `every operation of the program was translated to ONNX${weights}${stored}`;
}

function translateFile(path: string, source: ByteSource, context: OpenContext): Translation {
  const { options } = context;
  const { precision, weightsFile } = options;
  const isScript = options.ports !== undefined && detectFile(source) === "torchscript";
  const stated = options.inputs ?? (isScript ? declaredInputs(options.ports) : undefined);
  const inputs = stated === undefined ? undefined : scriptInputs(stated);
  const weights =
    weightsFile === undefined ? undefined : openWeights(weightsFile, { programPath: path, ...context });
  return translate(source, nodePlatform, {
    areIndicesChecked: true,
    rename: (names) => renamedPorts(placedPorts(names, options.ports), options.rename),
    ...(precision !== "float32" && { precision }),
    ...(weights !== undefined && { weightsFrom: weights }),
    ...(inputs !== undefined && { inputs }),
  });
}

function untranslatable(unsupported: Translation["report"]["unsupported"]): ServeError {
  const shown = unsupported
    .slice(0, MOST_OPS_SHOWN)
    .map(({ op, count, reason }) => `${op} ×${count} (${reason})`);
  const rest = unsupported.length - shown.length;
  const list = rest > 0 ? [...shown, `and ${rest} more`] : shown;
  const why = `the program cannot be translated to ONNX, because of ${list.join(", ")}`;
  return new ServeError(
    "failed_precondition",
    `${why}; export it with torch.onnx.export(model, args, dynamo=True) and serve that file`,
    // Without advice, for whoever can run it all the same.
    { reason: "untranslatable", cause: why },
  );
}

function sampleTensors(samples: readonly SampleTensor[] | undefined): Tensor[] | undefined {
  return samples?.map(({ dtype, shape, bytes }) => {
    const datatype = datatypeOfTorch(dtype);
    if (datatype === undefined)
      throw new ServeError("failed_precondition", `a sample input is ${dtype}`, { reason: "model_refused" });
    return { datatype, shape, bytes };
  });
}

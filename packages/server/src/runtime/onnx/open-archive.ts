import { performance } from "node:perf_hooks";
import { type ByteSource, type SampleTensor, type Translation, translate } from "@sconce/torch";
import { detectFile } from "@sconce/torch/formats";
import { nodePlatform } from "@sconce/torch/node";
import { ServeError } from "../../base/errors.ts";
import type { Tensor } from "../../base/tensor.ts";
import { datatypeOfTorch } from "./datatypes.ts";
import { isDeclared } from "./declared-signature.ts";
import { openTranslated } from "./open-translated.ts";
import { openWeights } from "./open-weights.ts";
import type { OpenContext, OpenedModel } from "./opened-model.ts";
import { declaredInputs, placedPorts } from "./placed-ports.ts";
import { writePlaces } from "./profile-files.ts";
import { renamedPorts } from "./rename.ts";
import { scriptInputs } from "./script-inputs.ts";
import { signatureOfPorts } from "./signature.ts";
import type { TranslatedProgram } from "./translated-program.ts";
import { weightPrecision } from "./weight-precision.ts";

const MOST_OPS_SHOWN = 50;
/** A file up to this size is copied: then no run has to ask whether it is still the same, which is 5 % of the time of a small one. */
const COPIED_BYTES = 1024 * 1024;

/** Opens a program that PyTorch wrote: translated in memory. Rejects as `translateArchive` throws. */
export async function openArchive(
  path: string,
  source: ByteSource,
  context: OpenContext,
): Promise<OpenedModel> {
  const startMs = performance.now();
  const program = translateArchive(path, source, context);
  const translateMs = performance.now() - startMs;
  const opened = await openTranslated(path, program, context);
  return { ...opened, loadMs: { translate: translateMs, ...opened.loadMs }, translated: program };
}

/**
 * Translates a program that PyTorch wrote. Throws ServeError `failed_precondition`; for a program that cannot be translated the message lists
 * every op that stands against it.
 */
function translateArchive(path: string, source: ByteSource, context: OpenContext): TranslatedProgram {
  context.progress("translate");
  const translation = translateFile(path, source, context);
  const { profile } = context.options;
  if (profile !== undefined) writePlaces(profile, translation.places);
  const { unsupported, warnings } = translation.report;
  if (unsupported.length > 0) throw untranslatable(unsupported);
  const { ports, state } = context.options;
  return {
    model: translation.model,
    holdsWeights: isCopied(source, context),
    signature: signatureOfPorts(translation, { ports, state }),
    shownOutputs: translation.outputs.flatMap((port, i) =>
      ports === undefined || isDeclared(port, ports) ? [i] : [],
    ),
    rowMixing: translation.rowMixing,
    platform: `pytorch_${translation.format}`,
    parameterCount: translation.parameterCount,
    weightBytes: translation.weightBytes,
    warnings,
    sampleInputs: sampleTensors(translation.sampleInputs),
  };
}

function isCopied({ byteLength }: ByteSource, { options }: OpenContext): boolean {
  return byteLength <= COPIED_BYTES && options.weightsFile === undefined;
}

function translateFile(path: string, source: ByteSource, context: OpenContext): Translation {
  const { options } = context;
  const { weightsFile } = options;
  const precision = weightPrecision(options);
  const isScript = options.ports !== undefined && detectFile(source) === "torchscript";
  const stated = options.inputs ?? (isScript ? declaredInputs(options.ports) : undefined);
  const inputs = stated === undefined ? undefined : scriptInputs(stated);
  const weights =
    weightsFile === undefined ? undefined : openWeights(weightsFile, { programPath: path, ...context });
  return translate(source, nodePlatform, {
    areIndicesChecked: true,
    weights: isCopied(source, context) ? "embedded" : "mapped",
    ...(options.profile !== undefined && { keepsPlaces: true }),
    rename: (names) => renamedPorts(placedPorts(names, options.ports), options.rename),
    ...(precision !== undefined && { precision }),
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

import { dirname } from "node:path";
import { performance } from "node:perf_hooks";
import {
  type ByteSource,
  decodeModel,
  type ExternalData,
  encodeModel,
  inlineSmallWeights,
  ModelFileError,
  modelRowMixing,
  onnxRowMixing,
  precisionNote,
  type QuantizedPrecision,
  quantizeModel,
  scanOnnx,
  weightBytes,
} from "@sconce/torch";
import { ServeError } from "../../base/errors.ts";
import type { LoadOptions } from "../runtime.ts";
import { openExternal } from "./external-files.ts";
import { sessionError } from "./model-error.ts";
import { openSession } from "./open-session.ts";
import type { OpenContext, OpenedModel } from "./opened-model.ts";
import { signatureOfSession } from "./signature.ts";
import { weightPrecision } from "./weight-precision.ts";

/** Opens an ONNX file as it is, or with its weights in fewer bits. Throws ServeError `failed_precondition`. */
export async function openOnnx(path: string, source: ByteSource, context: OpenContext): Promise<OpenedModel> {
  const { options, progress } = context;
  const { weightsFile, inputs } = options;
  const precision = weightPrecision(options);
  if (weightsFile !== undefined) {
    throw new ServeError(
      "failed_precondition",
      "weights can replace those of a .pt2 or TorchScript file; an ONNX file does not keep their names",
      { reason: "option_unsupported" },
    );
  }
  if (inputs !== undefined) {
    throw new ServeError(
      "failed_precondition",
      "an ONNX file says itself what its inputs are: leave 'inputs' out",
      {
        reason: "option_unsupported",
      },
    );
  }
  const file = scanOnnx(source);
  const sources = new Map([[source.name, source]]);
  for (const name of file.externalFiles) sources.set(name, context.hold(openExternal(dirname(path), name)));
  const quantizeStartMs = performance.now();
  if (precision !== undefined) progress("quantize");
  const changed = precision === undefined ? undefined : inPrecision(source, sources, precision);
  progress("session");
  const startMs = performance.now();
  const open = (options: LoadOptions) =>
    changed === undefined
      ? openSession(path, options, undefined)
      : openSession(changed.model, options, dirname(path));
  const session = await open(options).catch((error: unknown) => {
    throw sessionError(error);
  });
  const { signature, outputNames, warnings } = signatureOfSession(session, options);
  return {
    session,
    reopen: (threads) => open({ ...options, threadsPerInstance: threads }),
    signature,
    rowMixing: changed === undefined ? onnxRowMixing(source, file) : changed.rowMixing,
    outputNames,
    platform: "onnx",
    runtimeReason: changed === undefined ? "the file is ONNX" : `the file is ONNX, in precision ${precision}`,
    parameterCount: file.parameterCount,
    weightBytes: changed?.weightBytes ?? file.weightBytes,
    warnings: changed === undefined ? warnings : [...warnings, changed.note],
    // ONNX Runtime reads a model into memory, and maps external data alone.
    isCopied: file.externalFiles.length === 0 && changed === undefined,
    loadMs: {
      ...(changed !== undefined && { quantize: startMs - quantizeStartMs }),
      session: performance.now() - startMs,
    },
    sampleInputs: undefined,
  };
}

interface ChangedModel {
  /** What did not change stays in the files it was in. */
  readonly model: Uint8Array;
  readonly weightBytes: number;
  readonly note: string;
  readonly rowMixing: string | undefined;
}

/** Rewrites the model in memory. `sources`: the files that were checked, by name; no other is opened. */
function inPrecision(
  source: ByteSource,
  sources: ReadonlyMap<string, ByteSource>,
  precision: QuantizedPrecision,
): ChangedModel {
  const read = ({ location, offset, byteLength }: ExternalData): Uint8Array => {
    const file = sources.get(location);
    if (file === undefined)
      throw new ModelFileError("corrupt", "it names a file for weights where no reader expects one");
    return file.read(offset, byteLength);
  };
  const result = quantizeModel(inlineSmallWeights(decodeModel(source), read), { precision, read });
  const bytes = weightBytes(result.model);
  return {
    model: encodeModel(result.model),
    weightBytes: bytes,
    note: precisionNote(precision, result),
    rowMixing: modelRowMixing(result.model),
  };
}

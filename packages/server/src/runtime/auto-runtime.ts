import { ServeError } from "../base/errors.ts";
import type { LoadedModel, LoadSpec, Runtime } from "./runtime.ts";

export interface AutoRuntimeOptions {
  readonly onnx: Runtime;
  readonly python: Runtime;
  /** For what surrounds models. */
  readonly tasks: Runtime;
}

/** Why a file that ONNX Runtime cannot run may still be run by PyTorch. */
const FOR_PYTHON: ReadonlySet<string> = new Set([
  "untranslatable",
  "model_file_unsupported",
  "model_refused",
  // Where pickles are allowed; elsewhere nobody tries to load such a file.
  "weights_only",
  "unknown_format",
]);

/**
 * Chooses: what can be translated is run by ONNX Runtime, anything else by PyTorch where it is there; the description says which and why.
 * A model that neither can run is rejected with what both say.
 */
export function createAutoRuntime({ onnx, python, tasks }: AutoRuntimeOptions): Runtime {
  return {
    name: "auto",
    load: (spec, options) =>
      spec.task === undefined ? load({ onnx, python }, spec, options) : tasks.load(spec, options),
    async close() {
      await Promise.all([onnx.close(), python.close(), tasks.close()]);
    },
    destroy(reason) {
      onnx.destroy(reason);
      python.destroy(reason);
      tasks.destroy(reason);
    },
  };
}

async function load(
  { onnx, python }: Pick<AutoRuntimeOptions, "onnx" | "python">,
  spec: LoadSpec,
  options: Parameters<Runtime["load"]>[1],
): Promise<LoadedModel> {
  const { runtime = "auto" } = spec.options;
  if (runtime === "onnx" && spec.codeFile !== undefined) throw codeRefused();
  if (runtime === "onnx") return onnx.load(spec, options);
  const isPythons = spec.codeFile !== undefined || spec.options.precision === "bfloat16";
  if (runtime === "python" || isPythons) return python.load(spec, options);
  let why: ServeError;
  try {
    return await onnx.load(spec, options);
  } catch (error) {
    why = ServeError.from(error);
    if (!FOR_PYTHON.has(why.reason)) throw error;
  }
  try {
    const { cause, message } = why;
    return because(await python.load(spec, options), typeof cause === "string" ? cause : message);
  } catch (error) {
    throw neither(why, ServeError.from(error));
  }
}

/** The same model with the reason why it is not translated. */
function because(loaded: LoadedModel, why: string): LoadedModel {
  const { description } = loaded;
  const runtimeReason = `${description.runtimeReason}: ${why}`;
  return {
    description: { ...description, runtimeReason },
    instances: loaded.instances,
    files: () => loaded.files?.() ?? [],
    onStateChange: (listener) => loaded.onStateChange(listener),
    close: () => loaded.close(),
    destroy: (reason) => loaded.destroy(reason),
  };
}

function neither(onnx: ServeError, python: ServeError): ServeError {
  if (python.code !== "failed_precondition") return python;
  // The one has said already what is missing.
  if (python.reason === "inputs_unknown") return onnx;
  return ServeError.of(
    onnx.code,
    `${onnx.message}; the Python runtime does not serve it either: ${python.message}`,
    {
      reason: onnx.reason,
      cause: python,
    },
  );
}

function codeRefused(): ServeError {
  return new ServeError(
    "failed_precondition",
    "the model is Python code, and the runtime is set to onnx: set it to auto or python, or export the model with torch.export",
    { reason: "option_not_allowed" },
  );
}

import { ServeError } from "../base/errors.ts";
import type { ModelDescription } from "../base/model-description.ts";
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
      spec.task === undefined ? loadOnDevice({ onnx, python }, spec, options) : tasks.load(spec, options),
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

/** On the processor where the device is not there, if the model may. */
async function loadOnDevice(
  runtimes: Pick<AutoRuntimeOptions, "onnx" | "python">,
  spec: LoadSpec,
  options: Parameters<Runtime["load"]>[1],
): Promise<LoadedModel> {
  try {
    return await load(runtimes, spec, options);
  } catch (error) {
    const { reason, message } = ServeError.from(error);
    if (reason !== "device_missing" || spec.options.deviceFallback !== "cpu") throw error;
    const onProcessor = { ...spec, options: { ...spec.options, device: "cpu" } };
    const loaded = await load(runtimes, onProcessor, options);
    const warning = `${message}; it computes on the processor, as device_fallback says`;
    return described(loaded, { warnings: [...loaded.description.warnings, warning] });
  }
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
    // The devices that both know.
    const isPythonsDevice = why.reason === "device_missing" && /cuda/.test(spec.options.device ?? "");
    if (!isPythonsDevice && !FOR_PYTHON.has(why.reason)) throw error;
  }
  try {
    return because(await python.load(spec, options), textOf(why));
  } catch (error) {
    throw neither(why, ServeError.from(error));
  }
}

/** The same model with the reason why it is not translated. */
function because(loaded: LoadedModel, why: string): LoadedModel {
  return described(loaded, { runtimeReason: `${loaded.description.runtimeReason}: ${why}` });
}

function described(loaded: LoadedModel, changes: Partial<ModelDescription>): LoadedModel {
  return {
    description: { ...loaded.description, ...changes },
    instances: loaded.instances,
    files: () => loaded.files?.() ?? [],
    onStateChange: (listener) => loaded.onStateChange(listener),
    close: () => loaded.close(),
    destroy: (reason) => loaded.destroy(reason),
  };
}

/** Without advice, where there is such a text. */
function textOf({ cause, message }: ServeError): string {
  return typeof cause === "string" ? cause : message;
}

function neither(onnx: ServeError, python: ServeError): ServeError {
  if (python.code !== "failed_precondition") return python;
  if (python.reason === "device_missing" && onnx.reason !== "device_missing") {
    const message = `${python.message}; it is for PyTorch to run, since ${textOf(onnx)}`;
    return ServeError.of(python.code, message, { reason: python.reason, cause: python });
  }
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

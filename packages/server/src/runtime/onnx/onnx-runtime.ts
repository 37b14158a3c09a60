import type { Runtime } from "../runtime.ts";
import { createWorkerRuntime, type WorkerRuntimeOptions } from "../worker-runtime.ts";
import { WORKER_MODES } from "./worker-modes.ts";

const ENTRY = new URL("./worker-main.js", import.meta.url);

/**
 * ONNX Runtime's own builds note what they run in files below TMPDIR and HOME, to be sent to their maker, unless this is set before they are
 * loaded.
 */
const NO_TELEMETRY = { ORT_DISABLE_TELEMETRY: "1" };

interface OnnxRuntimeOptions extends Omit<WorkerRuntimeOptions, "name" | "entry" | "args"> {
  readonly entry?: URL;
  /** Whether a worker that starts now will probably find its file translated already. Default: it will not. */
  isTranslatorIdle?(): boolean;
}

/**
 * Runs `.onnx`, `.pt2` and TorchScript files with ONNX Runtime in worker processes. The spares begin to start at once. `entry`: another compiled worker entry, which ends in this one's.
 */
export function createOnnxRuntime(options: OnnxRuntimeOptions): Runtime {
  // For models in threads: native code sees the environment of the process alone.
  Object.assign(process.env, NO_TELEMETRY);
  const env = { ...options.env, ...NO_TELEMETRY };
  const { isTranslatorIdle = () => false } = options;
  const args = (isWanted: boolean): readonly string[] =>
    isTranslatorIdle() ? [isWanted ? WORKER_MODES.lean : WORKER_MODES.waiting] : [];
  return createWorkerRuntime({ entry: ENTRY, ...options, args, env, name: "onnx" });
}

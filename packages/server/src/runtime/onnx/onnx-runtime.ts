import type { Runtime } from "../runtime.ts";
import { createWorkerRuntime, type WorkerRuntimeOptions } from "../worker-runtime.ts";

const ENTRY = new URL("./worker-main.js", import.meta.url);

/**
 * Runs `.onnx`, `.pt2` and TorchScript files with ONNX Runtime in worker processes. The spares begin to start at once; each holds ONNX
 * Runtime in memory already.
 */
export function createOnnxRuntime(options: Omit<WorkerRuntimeOptions, "name" | "entry">): Runtime {
  return createWorkerRuntime({ ...options, name: "onnx", entry: ENTRY });
}

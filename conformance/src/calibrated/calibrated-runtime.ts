import { createWorkerRuntime, type Runtime, type WorkerRuntimeOptions } from "../internals/server.ts";

const ENTRY = new URL("./calibrated-worker.js", import.meta.url);

/** Takes the place of the ONNX runtime where capacity must be known and faults must come on command; see `CalibratedModel`. */
export function createCalibratedRuntime(options: Omit<WorkerRuntimeOptions, "name" | "entry">): Runtime {
  return createWorkerRuntime({ ...options, name: "onnx", entry: ENTRY });
}

import type { Runtime } from "../runtime.ts";
import { createWorkerRuntime, type WorkerRuntimeOptions } from "../worker-runtime.ts";

const ENTRY = new URL("./worker-main.js", import.meta.url);

/** Makes the workers that do what surrounds models: `spec.task` says what. No process is started before a model needs one. */
export function createTaskRuntime(options: Omit<WorkerRuntimeOptions, "name" | "entry" | "spares">): Runtime {
  return createWorkerRuntime({ ...options, name: "js", entry: ENTRY, spares: 0 });
}

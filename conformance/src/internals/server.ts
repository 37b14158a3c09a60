/** The insides of the server that suites and benchmarks build servers of their own from. Published is only what `sconce` exports. */
export type { RuntimeOptions } from "../../../packages/server/dist/app/create-both-runtimes.js";
export { startServer } from "../../../packages/server/dist/app/start-server.js";
export { systemClock } from "../../../packages/server/dist/base/clock.js";
export { deferred } from "../../../packages/server/dist/base/deferred.js";
export type { Instance } from "../../../packages/server/dist/base/instance.js";
export type { Logger } from "../../../packages/server/dist/base/logger.js";
export type { RunInput } from "../../../packages/server/dist/base/run.js";
export { createLogger } from "../../../packages/server/dist/cli/logger.js";
export { loadConfig } from "../../../packages/server/dist/config/load-config.js";
export { createOnnxRuntime } from "../../../packages/server/dist/runtime/onnx/onnx-runtime.js";
export { sessionOptions } from "../../../packages/server/dist/runtime/onnx/session-options.js";
export { PLAIN_LOAD } from "../../../packages/server/dist/runtime/plain-load.js";
export { createPythonRuntime } from "../../../packages/server/dist/runtime/python/python-runtime.js";
export type {
  LoadedModel,
  LoadOptions,
  LoadSpec,
  Runtime,
} from "../../../packages/server/dist/runtime/runtime.js";
export {
  createWorkerRuntime,
  type WorkerRuntimeOptions,
} from "../../../packages/server/dist/runtime/worker-runtime.js";
export { pythonWorkerEnv, workerEnv } from "../../../packages/server/dist/worker/worker-env.js";
export { nodeFlags } from "./node-flags.ts";

import type { LoadOptions } from "./runtime.ts";

/** A load that asks for nothing: one instance of one thread in a process of its own, the file's own weights and precision. */
export const PLAIN_LOAD: LoadOptions = {
  instances: 1,
  threadsPerInstance: 1,
  isolation: "process",
  loadTimeoutMs: 60_000,
  executionTimeoutMs: 60_000,
  memoryLimitBytes: undefined,
  memory: "fast",
  precision: "float32",
  weightsFile: undefined,
  inputs: undefined,
  warmupRuns: 1,
};

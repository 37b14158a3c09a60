import type { Instance } from "../base/instance.ts";
import type { ModelDescription } from "../base/model-description.ts";

/** What to load. `file` is an absolute path that the server chose, never a client. */
export interface LoadSpec {
  readonly name: string;
  readonly version: string;
  readonly file: string;
  /** The folder that is served, without links: no file outside it is opened, whatever links say. */
  readonly root: string;
  readonly options: LoadOptions;
}

/** How to load it: the part of a model's configuration that a runtime needs. */
export interface LoadOptions {
  readonly instances: number;
  readonly threadsPerInstance: number;
  /** True: a model that more threads do not help gets one. Default: exactly `threadsPerInstance`. */
  readonly mayUseFewerThreads?: boolean;
  /** `process` (default): a crash, a hang or a leak costs one worker. `thread`: for trusted models that need the last microseconds. */
  readonly isolation: "process" | "thread";
  readonly loadTimeoutMs: number;
  readonly executionTimeoutMs: number;
  /** Kill and replace a worker whose resident memory passes this; undefined: no limit. */
  readonly memoryLimitBytes: number | undefined;
  readonly memory: "fast" | "shared";
  readonly precision: "float32" | "float16" | "int8" | "int4";
  /** File whose tensors replace the program's weights of the same names. */
  readonly weightsFile: string | undefined;
  /** The types of a TorchScript program's arguments, such as `float32[batch, 3]`; undefined: the file says them. */
  readonly inputs: Readonly<Record<string, string>> | undefined;
  /** Other names for inputs and outputs, by the names that the file has; undefined: they keep those. */
  readonly rename?: Readonly<Record<string, string>> | undefined;
  /** Runs before the model is ready. */
  readonly warmupRuns: number;
  /** False: the engine must not rewrite the model's graph, since a worker crashed where it did. Default: it may. */
  readonly isOptimised?: boolean;
}

/** A model in memory. */
export interface LoadedModel {
  readonly description: ModelDescription;
  readonly instances: readonly Instance[];
  /** Calls `listener` whenever an instance's state changed; the returned function stops that. */
  onStateChange(listener: (instance: Instance) => void): () => void;
  /** Waits for running batches, then ends the workers. Idempotent. */
  close(): Promise<void>;
  /** Ends the workers now; running batches reject with `unavailable`. */
  destroy(reason: string): void;
}

/** How a batch becomes numbers. */
export interface Runtime {
  readonly name: "onnx" | "python" | "js";
  /**
   * Loads and warms up a model; resolves when every instance is ready. Rejects with ServeError:
   * `failed_precondition` the file cannot be served and the message says what to do; `deadline_exceeded` too slow;
   * `not_found` the file is gone; `cancelled` the signal fired.
   */
  load(
    spec: LoadSpec,
    options: { readonly signal: AbortSignal; onProgress?(stage: string): void },
  ): Promise<LoadedModel>;
  close(): Promise<void>;
  destroy(reason: string): void;
}

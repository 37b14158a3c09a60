import type { ModelDescription } from "../base/model-description.ts";
import type { RunRequest, RunResult } from "../base/run.ts";

/** What to load. `file` is an absolute path that the server chose, never a client. */
export interface LoadSpec {
  readonly name: string;
  readonly version: string;
  readonly file: string;
  readonly options: LoadOptions;
}

/** How to load it: the part of a model's configuration that a runtime needs. */
export interface LoadOptions {
  readonly instances: number;
  readonly threadsPerInstance: number;
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
  /** Runs before the model is ready. */
  readonly warmupRuns: number;
}

/**
 * An instance's life. `restarting` comes back by itself; `failed` does not (crash loop) until the model is reloaded.
 */
export type InstanceState =
  | { readonly kind: "ready" }
  | { readonly kind: "restarting"; readonly attempt: number; readonly reason: string }
  | { readonly kind: "failed"; readonly reason: string }
  | { readonly kind: "closed" };

/**
 * One place where a model runs, one run at a time in the order given. `run` may be called again before the previous one settled: the
 * worker then goes on without waiting for this process (a depth of 2 hides the way there and back).
 */
export interface Instance {
  readonly id: string;
  readonly state: InstanceState;
  /**
   * Runs a batch. Rejects with ServeError:
   * `unavailable`/`worker_died` the worker ended while it may have been executing this run;
   * `unavailable`/`worker_died_waiting` the worker ended before it began this run (this run is not to blame);
   * `unavailable`/`instance_not_ready` the instance is restarting, failed or closed;
   * `invalid_argument`/`invalid_input` the model rejected the inputs' sizes or values;
   * `deadline_exceeded`/`execution_timeout` it hung and was killed;
   * `internal`/`model_failed` the model threw; `internal`/`bad_output` it answered nonsense.
   */
  run(request: RunRequest): Promise<RunResult>;
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

import type { CancelSignal } from "../base/call-signal.ts";
import type { ServeError } from "../base/errors.ts";
import type { InferRequest, InferResponse } from "../base/infer-request.ts";
import type { RequestHead } from "../base/request-head.ts";
import type { ResultReceiver } from "../base/result-receiver.ts";
import type { RolloutStatus } from "../base/rollout.ts";
import type { RunSettings } from "../base/run-settings.ts";
import type { TensorSpec } from "../base/signature.ts";
import type { Task } from "../base/task.ts";
import type { ModelStatistics } from "../models/model-statistics.ts";
import type { IndexEntry, ModelPresence, ModelWorkers } from "../models/registry.ts";

export interface ServerMetadata {
  readonly name: string;
  readonly version: string;
  readonly extensions: readonly string[];
}

export interface ModelMetadata {
  readonly name: string;
  readonly versions: readonly string[];
  readonly platform: string;
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  /** Its requests belong to sequences. Default: each stands for itself. */
  readonly hasSequences?: boolean;
}

/** How a loaded model is set up. */
export interface ModelConfiguration {
  readonly name: string;
  readonly version: string;
  readonly platform: string;
  /** What runs it, such as `onnx`. */
  readonly runtime: string;
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  readonly settings: RunSettings;
  /** Requests may share a run; the first dimension of every input and output is the batch then. */
  readonly isBatching: boolean;
  /** Why they may not; undefined where they may. */
  readonly batchingReason?: string | undefined;
  /** What it is for, such as `image-classification`; undefined: it takes tensors only. */
  readonly task?: string | undefined;
}

/** Where requests for one loaded model come in. */
export interface Door {
  /** What the model is for, where that is known: it takes more than tensors then. */
  readonly task?: Task;
  /**
   * What `infer` would certainly refuse a request with, whatever the body says that is still unread; the model's statistics have counted
   * it then. Undefined: `infer` decides.
   */
  rejectEarly(head: RequestHead): ServeError | undefined;
  /** The same where it cannot be said at once, for requests that are large enough to wait for it. Default: `rejectEarly` has said all. */
  rejectLater?(head: RequestHead): Promise<ServeError | undefined>;
}

/** Everything an edge can ask of the server, free of any wire protocol. Both edges call this one object. */
export interface Inference {
  serverMetadata(): ServerMetadata;
  isLive(): boolean;
  /** False while starting, draining, or while a required model is not ready. */
  isReady(): boolean;
  /** Throws `not_found` for an unknown model. */
  isModelReady(name: string, version: string | undefined): boolean;
  presence(name: string): ModelPresence;
  /** Undefined while the model is not loaded. Throws `not_found` for an unknown model. */
  door(name: string, version: string | undefined): Door | undefined;
  /** Throws `not_found`, or `unavailable` with the model's reason. */
  modelMetadata(name: string, version: string | undefined): ModelMetadata;
  /**
   * What a model takes, for a request about to run that must be typed by it; loads a model that loads on first use. Rejects like
   * `infer`.
   */
  acquireInputs(
    name: string,
    version: string | undefined,
    signal: CancelSignal,
  ): Promise<readonly TensorSpec[]>;
  /** The same for a model that is in memory; undefined: it is not, `acquireInputs` knows more. */
  loadedInputs(name: string, version: string | undefined): readonly TensorSpec[] | undefined;
  /** Throws like `modelMetadata`. */
  modelConfiguration(name: string, version: string | undefined): ModelConfiguration;
  /** Rejects like `modelMetadata`. */
  modelWorkers(name: string, version: string | undefined): Promise<ModelWorkers>;
  /** The model's rollout in force, else the last one; undefined: there was none. Throws `not_found`. */
  rolloutStatus(name: string): RolloutStatus | undefined;
  index(): readonly IndexEntry[];
  /** Every known model, broken ones too; to be looked through at once. */
  modelNames(): Iterable<string>;
  /**
   * Finds the model, checks inputs and requested outputs against its signature (names, datatypes, ranks, sizes, symbols,
   * byte counts), schedules, and answers. Throws ServeError: `invalid_argument` names the field and what was expected.
   */
  infer(request: InferRequest): Promise<InferResponse>;
  /** The same without a promise. The receiver must not ask for another inference before it returns. */
  submit(request: InferRequest, receiver: ResultReceiver<InferResponse>): void;
  /** Of every version in memory, or of those named. Throws `not_found` for an unknown model or version. */
  modelStatistics(name?: string, version?: string): readonly ModelStatistics[];
}

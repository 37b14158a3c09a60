import type { InferRequest, InferResponse } from "../base/infer-request.ts";
import type { TensorSpec } from "../base/signature.ts";
import type { ModelStatistics } from "../models/model-statistics.ts";
import type { IndexEntry } from "../models/registry.ts";

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
}

/** Everything an edge can ask of the server, free of any wire protocol. Both edges call this one object. */
export interface Inference {
  serverMetadata(): ServerMetadata;
  isLive(): boolean;
  /** False while starting, draining, or while a required model is not ready. */
  isReady(): boolean;
  /** Throws `not_found` for an unknown model. */
  isModelReady(name: string, version: string | undefined): boolean;
  /** Throws `not_found`, or `unavailable` with the model's reason. */
  modelMetadata(name: string, version: string | undefined): ModelMetadata;
  /**
   * What a model takes, for a request about to run that must be typed by it; loads a model that loads on first use. Rejects like
   * `infer`.
   */
  acquireInputs(
    name: string,
    version: string | undefined,
    signal: AbortSignal,
  ): Promise<readonly TensorSpec[]>;
  index(): readonly IndexEntry[];
  /**
   * Finds the model, checks inputs and requested outputs against its signature (names, datatypes, ranks, sizes, symbols,
   * byte counts), schedules, and answers. Throws ServeError: `invalid_argument` names the field and what was expected.
   */
  infer(request: InferRequest): Promise<InferResponse>;
}

/** What the server's own inference adds for edges that show statistics. */
export interface ServerInference extends Inference {
  /** Of every version in memory, or of those named. Throws `not_found` for an unknown model or version. */
  modelStatistics(name?: string, version?: string): readonly ModelStatistics[];
}

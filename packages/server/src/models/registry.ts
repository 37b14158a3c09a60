import type { InferRequest, InferResponse } from "../base/infer-request.ts";
import type { ModelDescription } from "../base/model-description.ts";

/** Triton's repository states. */
export type IndexState = "READY" | "UNAVAILABLE" | "LOADING" | "UNLOADING";

/** One line of the repository index: every known version of every known model, broken ones too. */
export interface IndexEntry {
  readonly name: string;
  readonly version: string;
  readonly state: IndexState;
  /** Why it is not ready, in words for the user; empty when it is. */
  readonly reason: string;
}

/** A loaded model version that takes requests. */
export interface ServedModel {
  readonly name: string;
  readonly version: string;
  readonly description: ModelDescription;
  /** Names, datatypes and shapes were checked by `infer`; resolves in signature order of the outputs. */
  submit(request: InferRequest): Promise<InferResponse>;
}

/** The models of this server by name and version. */
export interface ModelRegistry {
  /**
   * The version that answers a request; version undefined: as the version policy says.
   * Throws `not_found` when there is no such model or version, `unavailable` when it is known but not ready (with its reason).
   */
  resolve(name: string, version: string | undefined): ServedModel;
  /** What `resolve` answers when it would not throw, else undefined: the path of every request. */
  lookup(name: string, version: string | undefined): ServedModel | undefined;
  /** Like `resolve`, for models that load on first use. */
  acquire(name: string, version: string | undefined, signal: AbortSignal): Promise<ServedModel>;
  /** Whether a request would be answered, if need be after a load on first use. Throws `not_found`. */
  isModelReady(name: string, version: string | undefined): boolean;
  /** Versions of a model that are ready, ascending; throws `not_found`. */
  readyVersions(name: string): readonly string[];
  index(): readonly IndexEntry[];
  /** True when every model that is meant to be up is up. */
  isReady(): boolean;
}

import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { ModelCandidate, ScanResult } from "./model-candidate.ts";
import type { IndexEntry, ModelRegistry } from "./registry.ts";
import type { LoadModel, ServedModelHandle } from "./served-model-handle.ts";
import type { TrialMemory } from "./trial-record.ts";
import type { VersionPolicy } from "./version-policy.ts";
import type { VersionState } from "./version-state.ts";
import type { TrialEnd, TrialStatus, TrialWish } from "./version-trial.ts";

/**
 * What "ready" takes. `strict`: of everything that looks like a model a version serves, or would be loaded by its first request.
 * `settled`: every model was tried once; those that failed are only listed. A list: these models are up.
 */
export type Readiness = "strict" | "settled" | readonly string[];

export interface RegistryOptions {
  readonly load: LoadModel;
  readonly clock: Clock;
  readonly logger: Logger;
  /**
   * Which versions of a model to load, asked when its newest candidate changed; default: the latest one. When it throws, what it
   * said before stays.
   */
  readonly versionPolicy?: (newest: ModelCandidate) => VersionPolicy;
  /** Whether a version that comes while an older one serves is tried before it takes over, asked of the new one; default: none is. */
  readonly trials?: (newest: ModelCandidate) => TrialWish | undefined;
  /** What is known of trials before this start. Default: nothing. */
  readonly trialMemory?: TrialMemory;
  /** Default `strict`. */
  readonly readiness?: Readiness;
  /** Whether `strict` and `settled` hold when there is no model at all; default false. */
  readonly allowEmpty?: boolean;
  /** Models load on first use, and make room for others when they are idle. */
  readonly lazy?: boolean;
  /** With `lazy`: how many versions may be in memory. */
  readonly maxLoadedModels?: number;
  /** With `lazy`: how many bytes of models may be in memory. */
  readonly memoryBudgetBytes?: number;
  /** Models come and go by `loadModel` and `unloadModel` alone; these are loaded at the start. Not with `lazy`. */
  readonly explicit?: { readonly startup: readonly string[] };
  /** Loads that run at once; default 4. */
  readonly concurrentLoads?: number;
  /** Default 30 s. */
  readonly drainTimeoutMs?: number;
  /**
   * How soon a failed load is tried again: with `lazy` by a request, else by a look at the disk, where the file system was to blame;
   * default 10 s.
   */
  readonly retryFailedMs?: number;
  /** Told of every version that is gone from the disk and from memory. */
  onForgotten?(model: string, version: string): void;
}

/** What a version is doing. */
export interface VersionStatus {
  readonly name: string;
  readonly version: string;
  /** `failed`: it did not load, or its workers do not come back. */
  readonly state: VersionState["kind"];
  /** Undefined: nothing of it is in memory. */
  readonly handle: ServedModelHandle | undefined;
}

/** A registry with its controls. Its creator closes it. */
export interface ManagedRegistry extends ModelRegistry {
  /** Whether a scan found such a model, or one is in memory. */
  isKnown(name: string): boolean;
  /** Whether a scan found this version of it, or it is in memory. */
  hasVersion(name: string, version: string): boolean;
  /** Takes over what a scan found: loads, reloads and unloads as the mode says. Returns at once. */
  apply(scan: ScanResult): void;
  /** Resolves when no load is under way. */
  settled(): Promise<void>;
  /**
   * Loads the wanted versions of a model that a scan found, or reloads those whose files changed. Rejects with `not_found`,
   * `failed_precondition`/`load_failed` with the reason, or `unavailable` when the scan could not read all that is wanted; what served
   * before goes on serving then. Rejects with `aborted`/`load_overtaken` when the model is unloaded meanwhile.
   */
  loadModel(name: string, signal: AbortSignal): Promise<void>;
  /** Changes with what `loadModel` would load, as far as scans have seen it. */
  wantedPrint(name: string): string;
  /** Stops serving a model, or one version of it; resolves when its requests finished and its memory is given back. Rejects with `not_found`. */
  unloadModel(name: string, signal: AbortSignal, version?: string): Promise<void>;
  /** While it is ready, this version answers requests that name none. Throws `not_found`, and `failed_precondition` while there is a trial. */
  setDefaultVersion(name: string, version: string): void;
  /** The trial of a new version that is in force. */
  trial(name: string): TrialStatus | undefined;
  /**
   * Tries a version beside the one that serves: it is wanted, and takes no request that names no version. The caller loads it. Throws `not_found`;
   * `failed_precondition`/`rollout_refused` when it cannot be tried.
   */
  beginTrial(name: string, version: string): void;
  /** Words on the candidate, for the index. */
  noteTrial(name: string, words: string): void;
  /** What did not pass is unloaded where the version policy wants the newest one, and tried again when its files change. */
  endTrial(name: string, end: TrialEnd): void;
  /** The version that answers requests which name none; undefined: none does now. */
  servingVersion(name: string): string | undefined;
  /** Calls `listener` with the name of a model whenever it was found, a version of it changed, or its default version was set; the returned function stops that. */
  watch(listener: (model: string) => void): () => void;
  /** Calls `listener` with the new index line whenever the line of a version changed; the returned function stops that. */
  subscribe(listener: (entry: IndexEntry) => void): () => void;
  lookup(name: string, version: string | undefined): ServedModelHandle | undefined;
  /**
   * For what is made of other models: loads the model where models load on use or on request, and waits for the load under way. Resolves however that
   * ends; rejects when `signal` fires.
   */
  prepare(name: string, version: string | undefined, signal: AbortSignal): Promise<void>;
  /** What the model lies on disk as: the version named, else the newest that is wanted; undefined: there is none. */
  candidate(name: string, version: string | undefined): ModelCandidate | undefined;
  /** Every version in memory that takes requests. */
  loaded(): readonly ServedModelHandle[];
  /** Every known version at this moment. */
  versions(): readonly VersionStatus[];
  /** Unloads everything once its requests finished. Idempotent. */
  close(): Promise<void>;
  /** Ends everything now. */
  destroy(reason: string): void;
}

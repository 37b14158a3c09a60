import type { CancelSignal } from "../base/call-signal.ts";
import type { ServeError } from "../base/errors.ts";
import type { InferRequest, InferResponse } from "../base/infer-request.ts";
import type { ModelDescription } from "../base/model-description.ts";
import type { RequestHead } from "../base/request-head.ts";
import type { ResultReceiver } from "../base/result-receiver.ts";
import type { RunSettings } from "../base/run-settings.ts";
import type { Task } from "../base/task.ts";
import type { ModelStatistics } from "./model-statistics.ts";

/** Triton's repository states. */
export type IndexState = "READY" | "UNAVAILABLE" | "LOADING" | "UNLOADING";

/**
 * What there is of a model. `absent`: nothing; `unloaded`: files, which nobody asks for or somebody unloaded; `failed`: files that did not load; `live`: a version
 * in memory, or on its way there or away.
 */
export type ModelPresence = "absent" | "unloaded" | "failed" | "live";

/** The workers of a model version at one moment. */
export interface ModelWorkers {
  /** Since when it has been in memory, in milliseconds since 1970. */
  readonly loadedAtMs: number;
  readonly workers: readonly {
    readonly pid: number | undefined;
    readonly residentBytes: number | undefined;
    readonly isReady: boolean;
  }[];
  readonly waitingRequests: number;
}

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
  readonly settings: RunSettings;
  /** What it is for, where its model.yaml says that. */
  readonly task?: Task;
  /** Names, datatypes and shapes were checked by `infer`; gives the outputs asked for, else all in signature order. */
  submit(request: InferRequest, receiver: ResultReceiver<InferResponse>): void;
  /** What `submit` would certainly refuse this request with, now and whatever its body says; it is counted. Undefined: ask `submit`. */
  rejectEarly(head: RequestHead): ServeError | undefined;
  statistics(): ModelStatistics;
  /** Who works for it now. */
  workers(): Promise<ModelWorkers>;
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
  /**
   * Waits for a model that loads on first use, then `lookup` is to be asked again: a version is used in the turn in which it was taken,
   * before another can take over. Throws like `resolve` when there is nothing to wait for.
   */
  waitForLoad(name: string, version: string | undefined, signal: CancelSignal): Promise<void>;
  presence(name: string): ModelPresence;
  /** Whether a request would be answered, if need be after a load on first use. Throws `not_found`. */
  isModelReady(name: string, version: string | undefined): boolean;
  /** Versions of a model that are ready, ascending; throws `not_found`. */
  readyVersions(name: string): readonly string[];
  index(): readonly IndexEntry[];
  /** Every known model, broken ones too; to be looked through at once. */
  names(): Iterable<string>;
  /** Every version in memory that takes requests. */
  loaded(): readonly ServedModel[];
  /** True when every model that is meant to be up is up. */
  isReady(): boolean;
}

import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { ModelCandidate } from "./model-candidate.ts";
import type { IndexEntry } from "./registry.ts";
import type { ServedModelHandle } from "./served-model-handle.ts";

/** A load under way. */
export interface Attempt {
  readonly candidate: ModelCandidate;
  readonly abort: AbortController;
  /** False while it waits for memory or its turn. */
  begun: boolean;
  /** Settles with the attempt, however it ends; never rejects. */
  readonly done: Promise<void>;
}

/** A load that failed. */
export interface FailedLoad {
  readonly fingerprint: string;
  readonly atMs: number;
  /** The files may be all right: what failed was the file system, or the machine. */
  readonly mayPass: boolean;
}

/** The life of one version of one model. */
export type VersionState =
  | { readonly kind: "unloaded"; readonly reason: string }
  | { readonly kind: "loading"; readonly attempt: Attempt }
  | {
      readonly kind: "ready";
      readonly handle: ServedModelHandle;
      readonly fingerprint: string;
      /** The files that failed to replace it. */
      readonly rejected: FailedLoad | undefined;
      /** The load that will replace it. */
      readonly successor: Attempt | undefined;
      /** Why what lies on disk now does not serve; empty when it does. */
      readonly note: string;
    }
  | { readonly kind: "draining"; readonly handle: ServedModelHandle; readonly reason: string }
  | ({ readonly kind: "failed"; readonly reason: string } & FailedLoad);

/** What every version needs from its registry. */
export interface VersionContext {
  /** Like LoadModel, but may wait first; calls `onBegin` when it starts for real. */
  load(candidate: ModelCandidate, signal: AbortSignal, onBegin: () => void): Promise<ServedModelHandle>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** How soon a failed load is worth another try. */
  readonly retryFailedMs: number;
  /** Old instances are ended when none of their requests has ended for this long. */
  readonly drainTimeoutMs: number;
  /** Called after every change of state or health. */
  onChange(entry: IndexEntry): void;
  /** Called when the last request in flight settled. */
  onIdle(): void;
  /** Called when an instance is closed and its memory given back. */
  onReleased(handle: ServedModelHandle): void;
}

/** A version's line of the repository index. */
export function indexEntry(name: string, version: string, state: VersionState): IndexEntry {
  switch (state.kind) {
    case "unloaded":
    case "failed":
      return { name, version, state: "UNAVAILABLE", reason: state.reason };
    case "loading":
      return { name, version, state: "LOADING", reason: "loading" };
    case "draining":
      return { name, version, state: "UNLOADING", reason: state.reason };
    case "ready": {
      const failure = state.handle.failure();
      if (failure !== undefined) return { name, version, state: "UNAVAILABLE", reason: failure };
      return { name, version, state: "READY", reason: state.note };
    }
  }
}

/** Why a version that can be loaded is not in memory. */
export const NOT_LOADED = "not loaded yet";
/** The same where a request loads it. */
export const LOADS_ON_USE = "loads on first use";

/** The state of a version that nobody asked to load. */
export function restingState(candidate: ModelCandidate, nowMs: number): VersionState {
  if (candidate.problem === undefined) return { kind: "unloaded", reason: NOT_LOADED };
  const { fingerprint, problem: reason } = candidate;
  return { kind: "failed", reason, fingerprint, atMs: nowMs, mayPass: false };
}

/** Said of a version that serves although its files changed into something that does not load. */
export function keptNote(reason: string): string {
  return `the version in memory goes on serving; what is on disk now does not load: ${reason}`;
}

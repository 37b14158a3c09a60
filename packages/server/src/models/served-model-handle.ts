import type { InferRequest } from "../base/infer-request.ts";
import type { KeptState, SequenceLimits } from "../base/kept-state.ts";
import type { QueueGauges } from "../queue/scheduler.ts";
import type { ModelCandidate } from "./model-candidate.ts";
import type { ServedModel } from "./registry.ts";

/** A model version in memory at one moment. */
export interface ModelGauges extends QueueGauges {
  /** Resident memory of each instance's worker process, in the order of the instances; undefined where it is not known. */
  readonly residentBytes: readonly (number | undefined)[];
  /** The same of the worker whose answers the model's are compared with. Default: there is none. */
  readonly shadowResidentBytes?: number | undefined;
  /** Undefined: the model keeps no state. */
  readonly sequences?: { readonly live: number; readonly stateBytes: number };
}

/** A model whose state somebody keeps, as it is by itself. */
export interface StatelessModel {
  /** It takes and gives the state as tensors. */
  readonly model: ServedModelHandle;
  readonly kept: KeptState;
  /** How much of it there may be. */
  readonly limits: SequenceLimits;
}

/** A loaded model version as the registry holds it: it ends what it started. */
export interface ServedModelHandle extends ServedModel {
  /** Requests submitted and not settled yet, and those that hold it. */
  inFlight(): number;
  /**
   * For a request that will submit later on what it has to submit: until `release` the model takes requests, also while it closes, and stays in memory. False: not all of
   * it is in memory, so that it is not held.
   */
  hold(): boolean;
  release(): void;
  /** Whether a request belongs to a sequence that is live here. Default: there are no sequences. */
  holdsSequence?(request: InferRequest): boolean;
  /** Itself without its state, for who keeps that elsewhere. Default: it has none, or its program keeps it. */
  readonly stateless?: StatelessModel | undefined;
  /** How many are live. */
  liveSequences?(): number;
  /** Its queue and its instances at this moment. */
  gauges(): Promise<ModelGauges>;
  /** What it holds in memory, as far as known; counts against the memory budget. */
  readonly memoryBytes: number;
  /** Why it cannot answer although it is loaded (a crash loop, a changed file), or undefined. */
  failure(): string | undefined;
  /** Whether it failed because its files are not what was loaded any more. */
  isOutdated(): boolean;
  /** Calls `listener` when `failure()` changed; the returned function stops that. */
  onHealthChange(listener: () => void): () => void;
  /** Calls `listener` when the last request in flight settled; the returned function stops that. */
  onIdle(listener: () => void): () => void;
  /** Waits for the requests in flight, then ends the workers. Idempotent. Requests after it are refused (`unavailable`). */
  close(): Promise<void>;
  /** Ends the workers now; requests in flight reject with `unavailable`. */
  destroy(reason: string): void;
}

/**
 * Loads one candidate; resolves when it is warmed up and can answer. Rejects with ServeError, whose message goes into the
 * index. When `signal` fires it gives everything back and rejects.
 */
export type LoadModel = (candidate: ModelCandidate, signal: AbortSignal) => Promise<ServedModelHandle>;

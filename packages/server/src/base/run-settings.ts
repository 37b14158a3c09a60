import type { SequenceTurns } from "./model-description.ts";

/** A step of a pipeline, with the tensors of all its ports. */
export interface StepSettings {
  readonly model: string;
  readonly version: string | undefined;
  readonly inputs: ReadonlyMap<string, string>;
  readonly outputs: ReadonlyMap<string, string>;
}

/** How requests of a loaded model run: what its v2 configuration tells clients. */
export interface RunSettings {
  /** Rows that share a run at most; 1: requests run one by one. */
  readonly maxBatchSize: number;
  readonly maxQueueDelayMs: number;
  /** Ascending or not; empty when none was set. */
  readonly preferredBatchSizes: readonly number[];
  readonly priorityLevels: number;
  readonly defaultPriority: number;
  /** Workers that hold the model. */
  readonly instances: number;
  readonly executionTimeoutMs: number;
  readonly loadTimeoutMs: number;
  readonly maxQueueSize: number;
  /** Names of classes, by output; under "" those of every output that has none of its own. */
  readonly labels?: ReadonlyMap<string, readonly string[]> | undefined;
  /** How long a sequence of requests lives without one; undefined: the model has no state. */
  readonly sequences?: Pick<SequenceTurns, "idleMs"> & Partial<SequenceTurns>;
  /** Requests that run side by side, joining and leaving between two runs; undefined: a run is a whole batch. */
  readonly runsAtOnce?: number;
  /** Of a pipeline; undefined: it is none. */
  readonly steps?: readonly StepSettings[];
  /** Whether equal requests may be answered from memory. */
  readonly cached: boolean;
}

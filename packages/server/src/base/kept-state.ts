import type { SequenceControl } from "./sequence-control.ts";
import type { StatePair } from "./signature.ts";

/** What a sequence begins with: zeros of a shape (a text stands for a size that the first request has), or given bytes of one row. */
export type InitialState = { readonly dims: readonly (number | string)[] } | { readonly bytes: Uint8Array };

/** How many sequences may be live, how long, and what their states may take. */
export interface SequenceLimits {
  /** How long a sequence lives without a request. */
  readonly idleMs: number;
  readonly maxSequences: number;
  /** Of all states together, two KiB for each sequence included. */
  readonly maxBytes: number;
}

/** What somebody has to keep for a model between the requests of a sequence, by the model's own names. */
export interface KeptState {
  readonly pairs: readonly StatePair[];
  /** By name of the input; zeros for those that are not there. */
  readonly initial: ReadonlyMap<string, InitialState>;
  /** Inputs that say where in its sequence a request stands. */
  readonly controls: readonly SequenceControl[];
}

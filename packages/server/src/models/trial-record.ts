/** Why a version does not answer requests that name none. */
export interface HeldBack {
  /** Of what did not pass; other files are tried again. */
  readonly fingerprint: string;
  readonly reason: string;
}

/** What is known of a model's trials. */
export interface TrialRecord {
  /** The version that answers requests which name none, or did when it was last seen to; undefined: nobody knows. */
  stable: string | undefined;
  /** The version on trial; undefined: none is. */
  candidate: string | undefined;
  /** By version. */
  readonly heldBack: Map<string, HeldBack>;
}

/** Where what is known of trials outlives the models, and the server if it is kept. */
export interface TrialMemory {
  /** Whether a start knows what was before it. */
  readonly isKept: boolean;
  /** The one record of a model. */
  recordOf(model: string): TrialRecord;
  /** A record was changed. */
  changed(): void;
}

/** Nothing is known at a start, and of a model that went and came. */
export const NO_TRIAL_MEMORY: TrialMemory = {
  isKept: false,
  recordOf: () => emptyTrialRecord(),
  changed: () => {},
};

export function emptyTrialRecord(): TrialRecord {
  return { stable: undefined, candidate: undefined, heldBack: new Map() };
}

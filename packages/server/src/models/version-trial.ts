import type { ServedModelHandle } from "./served-model-handle.ts";

/** Two versions of a model, both in memory: requests that name none go to the stable one, but for those that whoever leads the trial sends to the candidate. */
export interface VersionTrial {
  readonly stable: string;
  readonly candidate: string;
}

/** A trial as it stands. */
export interface TrialStatus extends VersionTrial {
  /** Undefined: it does not serve. */
  readonly stableHandle: ServedModelHandle | undefined;
  readonly candidateHandle: ServedModelHandle | undefined;
  /** Why the candidate will not serve by itself; undefined: it serves, or may yet. */
  readonly failure: string | undefined;
}

/** How a trial ends: the candidate takes over, or is kept from doing so, in words for the user. */
export type TrialEnd =
  | { readonly kind: "promoted" }
  | { readonly kind: "held_back"; readonly reason: string };

/** Whether new versions of a model are tried before they take over. */
export interface TrialWish {
  /** The stable version where none serves yet. Default: the newest one serves at once then. */
  readonly from: string | undefined;
}

/** How a new version of a model takes over from the one that serves. */
export interface RolloutSettings {
  /** Of the requests, one step after the other, ascending, each at most 1; 0: none but the shadow's. */
  readonly shares: readonly number[];
  /** How long a step lasts at least, and what it is judged by. */
  readonly windowMs: number;
  /** Of the new version, before a step may end well. */
  readonly minRequests: number;
  /** What a request is told by whose fellows go to the same version; requests without it are drawn one by one. */
  readonly by: RolloutKey;
  /** Tenants whose requests all go to the new version. */
  readonly tenants: readonly string[];
  /** The part of its requests that may fail, beyond that of the old version. */
  readonly maxErrors: number;
  /** The largest 95th percentile of its latency, in milliseconds, or in times of the old version's; undefined: any. */
  readonly maxLatency: { readonly ms: number } | { readonly times: number } | undefined;
  /** The part of the old version's answers that the new one is asked for as well; 0: none. */
  readonly shadowShare: number;
  /** The largest difference that counts as equal, divided by 1 plus the value. */
  readonly tolerance: number;
  /** The part of the compared answers that may differ; undefined: any. */
  readonly maxDiffering: number | undefined;
  /** Who promotes after the last step. */
  readonly promotion: "automatic" | "manual";
  /** The version that is the old one when a start finds both; undefined: the newest serves at once then. */
  readonly from: string | undefined;
}

export const ROLLOUT_KEYS = ["request", "tenant", "header"] as const;
export type RolloutKey = (typeof ROLLOUT_KEYS)[number];

/** Why the old version serves on. */
export type RollbackReason =
  /** It did not load. */
  | "load_failed"
  /** It takes or gives something else than the old one. */
  | "other_signature"
  | "errors"
  | "latency"
  | "differing"
  /** Its workers do not come back. */
  | "failed"
  /** Somebody asked for it. */
  | "aborted"
  /** It was unloaded, its files are gone, or a still newer one came. */
  | "withdrawn";

export type RolloutState =
  | { readonly kind: "loading" }
  | {
      readonly kind: "canary";
      /** From 0 on. */
      readonly step: number;
      readonly share: number;
      /** Monotonic. */
      readonly sinceMs: number;
      /** No further step begins by itself. */
      readonly isPaused: boolean;
    }
  | { readonly kind: "promoted"; readonly detail: string }
  | { readonly kind: "rolled_back"; readonly reason: RollbackReason; readonly detail: string };

/** What one version did since the step began. */
export interface SideStatus {
  readonly version: string;
  readonly requests: number;
  readonly failed: number;
  /** In milliseconds; undefined: nothing was answered. */
  readonly p95Ms: number | undefined;
}

/** What is known of a model's rollout: the one in force, else the last one. */
export interface RolloutStatus {
  readonly model: string;
  readonly state: RolloutState;
  readonly settings: RolloutSettings;
  readonly stable: SideStatus;
  readonly candidate: SideStatus;
  /** Answers of both that were compared. */
  readonly compared: { readonly equal: number; readonly differing: number; readonly failed: number };
}

/** What an administrator asks of a rollout. */
export type RolloutAction = (typeof ROLLOUT_ACTIONS)[number];
export const ROLLOUT_ACTIONS = ["start", "advance", "pause", "resume", "promote", "abort"] as const;

export interface RolloutCommand {
  readonly action: RolloutAction;
  /** The new version, of `start`. */
  readonly version?: string | undefined;
  /** Keys of `rollout` in model.yaml that come before its own, of `start`; of `advance` `share` alone. */
  readonly settings: Readonly<Record<string, string>>;
}

import type { RolloutState } from "../../base/rollout.ts";
import type { VersionTrial } from "../../models/version-trial.ts";

/** What the index says of the new version. */
export function wordsOfState(state: RolloutState, { stable }: VersionTrial): string {
  switch (state.kind) {
    case "loading":
      return "rollout: it loads beside the version that serves";
    case "canary":
      return `rollout: ${percentText(state.share)} of the requests, the others go to version ${stable}`;
    case "promoted":
      return "rollout: promoted";
    case "rolled_back":
      return `rolled back: ${state.reason}: ${state.detail}`;
  }
}

/** What the log says of a change; undefined: nothing. */
export function whatHappened(
  before: RolloutState,
  state: RolloutState,
  { stable, candidate }: VersionTrial,
): string | undefined {
  switch (state.kind) {
    case "loading":
      return undefined;
    case "canary":
      if (before.kind === "canary" && before.share === state.share) {
        if (before.isPaused === state.isPaused) return undefined;
        return `rollout: ${state.isPaused ? "paused" : "goes on"}`;
      }
      return `rollout: version ${candidate} gets ${percentText(state.share)} of the requests`;
    case "promoted":
      return `rollout: version ${candidate} takes over from version ${stable}: ${state.detail}`;
    case "rolled_back":
      return `rollout: rolled back to version ${stable}: ${state.reason}: ${state.detail}`;
  }
}

/** A part as people write it: `5%`. */
export function percentText(share: number): string {
  return `${Number((share * 100).toFixed(4))}%`;
}

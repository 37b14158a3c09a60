import type { Logger } from "../../base/logger.ts";
import type { RolloutState, RolloutStatus } from "../../base/rollout.ts";
import type { VersionTrial } from "../../models/version-trial.ts";
import { isOver } from "./rollout-state.ts";
import { percentText, whatHappened } from "./rollout-words.ts";

interface Change {
  readonly before: RolloutState;
  readonly trial: VersionTrial;
  /** Of the requests, that the new version has now. */
  readonly share: number;
  /** As it is now. */
  readonly status: RolloutStatus;
}

/** Says in the log what became of a rollout, with the figures that it was judged by once it is over. */
export function tellOfRollout(logger: Logger, { before, trial, share, status }: Change): void {
  const { model, state, stable, candidate } = status;
  const message = whatHappened(before, state, trial);
  if (message === undefined) return;
  const fields = { model, version: trial.candidate, from: trial.stable, share: percentText(share) };
  const figures = { requests: candidate.requests, failed: candidate.failed, p95Ms: candidate.p95Ms };
  const old = { stableRequests: stable.requests, stableFailed: stable.failed, stableP95Ms: stable.p95Ms };
  const isBad = state.kind === "rolled_back";
  logger[isBad ? "warn" : "info"](
    { ...fields, ...(isOver(state) && { ...figures, ...old }), ...(isBad && { reason: state.reason }) },
    message,
  );
}

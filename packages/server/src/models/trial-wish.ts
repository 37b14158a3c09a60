import { ServeError } from "../base/errors.ts";
import type { RegistryOptions } from "./managed-registry.ts";
import type { ModelCandidate } from "./model-candidate.ts";
import type { ModelVersions } from "./model-versions.ts";
import type { TrialWish } from "./version-trial.ts";

type Options = Pick<RegistryOptions, "trials" | "lazy" | "logger">;

/** Whether a version is tried before it takes over, as its settings say. Never throws. */
export function trialWish(newest: ModelCandidate, { trials, lazy, logger }: Options): TrialWish | undefined {
  try {
    const wish = trials?.(newest);
    if (wish === undefined || lazy !== true) return wish;
    logger.warn({ model: newest.name }, "rollout has no effect: models load on first use, one version each");
  } catch (thrown) {
    // The load says it to whoever asks for it.
    logger.warn({ model: newest.name, err: thrown }, ServeError.from(thrown).message);
  }
  return undefined;
}

/** Throws where versions cannot be tried. */
export function requireTrials({ lazy }: Options): void {
  if (lazy === true)
    throw refused(
      "the rollout cannot start: models load on first use here (--lazy-loading), one version each",
    );
}

/** Throws while a version is tried. */
export function requireNoTrial({ name, trial }: ModelVersions): void {
  if (trial !== undefined) throw refused(`model "${name}" is in a rollout: promote or abort it first`);
}

function refused(message: string): ServeError {
  return new ServeError("failed_precondition", message, { reason: "rollout_refused" });
}

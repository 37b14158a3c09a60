import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import type { RolloutSettings } from "../../base/rollout.ts";
import type { ServedModel } from "../../models/registry.ts";
import type { ServedModelHandle } from "../../models/served-model-handle.ts";
import { ShadowComparisons, type ShadowResult } from "../shadow/shadow-comparisons.ts";
import { createShadowedModel } from "../shadow/shadowed-model.ts";

export interface RolloutShadowParts {
  readonly settings: RolloutSettings;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  readonly defer: (callback: () => void) => void;
  onEnd(result: ShadowResult): void;
}

/** Asks the new version what the old one was asked, after that was answered, and compares. What the new one says is thrown away. */
export interface RolloutShadow {
  /** The old version, a share of whose answers is compared. */
  around(stable: ServedModel): ServedModel;
  /** The old version was loaded again. */
  follow(stable: ServedModelHandle): void;
  close(): void;
}

/** Owns neither version. */
export function createRolloutShadow(
  { stable, candidate }: { readonly stable: ServedModelHandle; readonly candidate: ServedModelHandle },
  { settings, clock, random, logger, defer, onEnd }: RolloutShadowParts,
): RolloutShadow {
  const comparisons = new ShadowComparisons({
    signature: stable.description.signature,
    whose: `version ${candidate.version}'s`,
    tolerance: settings.tolerance,
    clock,
    logger,
    defer,
    onEnd,
    onLargest: () => {},
  });
  const { name, version, description } = candidate;
  comparisons.open({
    name,
    version,
    description,
    submit: (request, receiver) => candidate.submit(request, receiver),
    gauges: () => candidate.gauges(),
    destroy() {},
  });
  const view = (model: ServedModelHandle): ServedModelHandle =>
    createShadowedModel(model, { share: settings.shadowShare, random, comparisons, onEnd: () => {} });
  let current = stable;
  let shadowed = view(stable);
  return {
    around: (model) => (model === current ? shadowed : model),
    follow(model) {
      if (model === current) return;
      current = model;
      shadowed = view(model);
    },
    close: () => comparisons.close(),
  };
}

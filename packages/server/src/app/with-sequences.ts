import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { Metrics } from "../base/metrics.ts";
import type { SequenceTurns } from "../base/model-description.ts";
import type { ModelConfig } from "../config/model-options.ts";
import { createSequencedModel } from "../infer/sequences/sequenced-model.ts";
import { createTurnTakingModel } from "../infer/sequences/turn-taking-model.ts";
import type { ServedModelHandle } from "../models/served-model-handle.ts";
import { countSequenceEnds } from "./count-sequence-ends.ts";
import type { ModelState } from "./model-state.ts";

export interface WithSequencesParts {
  /** What the server keeps between the requests of a sequence; undefined: nothing. */
  readonly state: ModelState | undefined;
  /** How the model wants them that keeps it itself. */
  readonly turns: SequenceTurns | undefined;
  readonly config: ModelConfig;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** A model whose requests belong to sequences. Owns `inner`. */
export function withSequences(inner: ServedModelHandle, parts: WithSequencesParts): ServedModelHandle {
  const { state, turns, config, clock, logger } = parts;
  if (config.cacheBytes !== undefined)
    logger.warn({}, "cache has no effect: what a model with a state answers depends on what came before");
  if (state === undefined) {
    const { instances } = inner.settings;
    if (instances > 1)
      logger.warn(
        { instances },
        "its handler keeps the state of sequences in its process, and requests of a sequence go to any of its workers: instances: 1 keeps them together",
      );
    return turns === undefined ? inner : createTurnTakingModel(inner, turns, { clock });
  }
  const onEnd = countSequenceEnds(inner, parts.metrics);
  return createSequencedModel(inner, state.plan, {
    controls: state.controls,
    kept: state.kept,
    clock,
    idleMs: config.sequenceIdleMs,
    maxSequences: config.maxSequences,
    maxBytes: config.maxStateBytes,
    onEnd,
  });
}

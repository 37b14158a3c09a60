import type { Batcher } from "./batcher.ts";
import type { Piece } from "./job.ts";
import type { ServiceEstimate } from "./service-estimate.ts";

/** Controlled delay: what to do about a queue that does not empty any more. */
export interface OverloadConfig {
  /** How long a request may wait during overload. Raised to the queue's delay plus a run, which healthy batching needs. */
  readonly targetMs: number;
  /** A queue that was never empty for this long is overloaded. */
  readonly intervalMs: number;
}

/**
 * Keeps waits short under sustained overload, after "Fail at Scale" (ACM Queue 13/8): while the queue has not been empty for an interval,
 * requests that waited longer than the target are dropped and the newest go first, since the oldest are lost anyway.
 */
export class OverloadControl {
  readonly #config: OverloadConfig;
  readonly #batcher: Batcher;
  readonly #estimate: ServiceEstimate;
  readonly #delayMs: number;

  constructor(
    config: OverloadConfig,
    parts: {
      readonly batcher: Batcher;
      readonly estimate: ServiceEstimate;
      readonly maxQueueDelayMs: number;
    },
  ) {
    this.#config = config;
    this.#batcher = parts.batcher;
    this.#estimate = parts.estimate;
    this.#delayMs = parts.maxQueueDelayMs;
  }

  /** To be called before every batch is taken: the pieces to drop. */
  overdue(nowMs: number): readonly Piece[] {
    const isOverloaded = nowMs - this.#batcher.standingSinceMs > this.#config.intervalMs;
    this.#batcher.newestFirst = isOverloaded;
    return isOverloaded ? this.#batcher.queuedBefore(nowMs - this.#targetMs(nowMs)) : [];
  }

  #targetMs(nowMs: number): number {
    return Math.max(this.#config.targetMs, this.#delayMs + (this.#estimate.p95Ms(nowMs) ?? 0));
  }
}

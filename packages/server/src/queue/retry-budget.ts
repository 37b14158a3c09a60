import { SlidingCount } from "./sliding-count.ts";

const WINDOW_MS = 10_000;

/**
 * How many batches may be run once more because their worker died: a share of all runs of the last ten seconds, and always at least
 * a minimum. One unit per death, not per request: a death costs one worker, however many requests it held.
 */
export class RetryBudget {
  readonly #ratio: number;
  readonly #minimum: number;
  readonly #runs = new SlidingCount(WINDOW_MS);
  readonly #retries = new SlidingCount(WINDOW_MS);

  constructor(options: { readonly ratio: number; readonly minimum: number }) {
    this.#ratio = options.ratio;
    this.#minimum = options.minimum;
  }

  noteRun(nowMs: number): void {
    this.#runs.add(1, nowMs);
  }

  /** True when there was a unit left; it is used up then. */
  take(nowMs: number): boolean {
    const allowed = Math.max(this.#minimum, this.#ratio * this.#runs.total(nowMs));
    if (this.#retries.total(nowMs) + 1 > allowed) return false;
    this.#retries.add(1, nowMs);
    return true;
  }
}

/** How many requests may be in the house, learned from how the executors' speed changes with load. */
export interface ConcurrencyLimitOptions {
  readonly least: number;
  readonly most: number;
}

/** A tenth slower than the best is noise. */
const TOLERANCE = 1.1;
/** After so many runs the best times are measured anew, so that a model that became slower for good is believed. */
const FORGET_AFTER_RUNS = 1_000;

/**
 * A gradient limit: each run compares its time with the best time of its own batch size (a larger batch takes longer without anything
 * being wrong) and moves the limit by that ratio, plus a little headroom that lets it grow while the ratio is near one.
 */
export class ConcurrencyLimit {
  readonly #options: ConcurrencyLimitOptions;
  readonly #best = new Map<number, number>();
  #limit: number;
  #runs = 0;

  constructor(options: ConcurrencyLimitOptions) {
    this.#options = options;
    this.#limit = options.most;
  }

  get current(): number {
    return Math.floor(this.#limit);
  }

  /** A run of `rows` rows took `serviceMs`, from dispatch to answer, while `live` requests were in the house. */
  observe(rows: number, serviceMs: number, live: number): void {
    this.#runs += 1;
    if (this.#runs % FORGET_AFTER_RUNS === 0) this.#best.clear();
    const best = Math.min(this.#best.get(rows) ?? Number.POSITIVE_INFINITY, serviceMs);
    this.#best.set(rows, best);
    // A limit that nobody presses against says nothing.
    if (live < this.#limit / 2) return;
    const gradient = serviceMs > 0 ? Math.min(1, Math.max(0.5, (best * TOLERANCE) / serviceMs)) : 1;
    const wanted = this.#limit * gradient + Math.sqrt(this.#limit);
    const smoothed = this.#limit + (wanted - this.#limit) * 0.2;
    this.#limit = Math.min(this.#options.most, Math.max(this.#options.least, smoothed));
  }
}

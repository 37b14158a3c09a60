const PATIENCE = 2;
const SMOOTHING = 1 / 8;
/** From this score on it is waited. */
const ENOUGH = 16;
const MOST = 64;
const LEAST = -MOST;

/** How long something usually takes, in milliseconds, and a score of whether to wait for it actively. */
export class Habit {
  readonly #longestMs: number;
  #usualMs: number;
  #score = 0;

  /** What usually takes longer than `longestMs` is not waited for, and nothing is for more than that. */
  constructor(longestMs: number) {
    this.#longestMs = longestMs;
    this.#usualMs = longestMs;
  }

  took(ms: number): void {
    this.#usualMs += (Math.min(ms, 2 * this.#longestMs) - this.#usualMs) * SMOOTHING;
  }

  add(points: number): void {
    this.#score = Math.max(LEAST, Math.min(MOST, this.#score + points));
  }

  /** How long to wait for it: twice as long as it usually takes, or not at all. */
  get waitMs(): number {
    if (this.#score < ENOUGH || this.#usualMs >= this.#longestMs) return 0;
    return Math.min(PATIENCE * this.#usualMs, this.#longestMs);
  }
}

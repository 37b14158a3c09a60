import type { Clock } from "../base/clock.ts";

const WINDOW_MS = 1000;

/** Lets so many lines a second through, and counts the others, so that what goes wrong often cannot fill the log. */
export class LineLimit {
  readonly #clock: Clock;
  readonly #perSecond: number;
  #windowStartMs: number;
  #passed = 0;
  #dropped = 0;

  constructor(clock: Clock, perSecond: number) {
    this.#clock = clock;
    this.#perSecond = perSecond;
    this.#windowStartMs = clock.nowMs();
  }

  /** Whether one more line may pass now. */
  take(): boolean {
    const nowMs = this.#clock.nowMs();
    if (nowMs - this.#windowStartMs >= WINDOW_MS) {
      this.#windowStartMs = nowMs;
      this.#passed = 0;
    }
    this.#passed++;
    if (this.#passed <= this.#perSecond) return true;
    this.#dropped++;
    return false;
  }

  /** How many lines did not pass since this was last asked. */
  takeDropped(): number {
    const dropped = this.#dropped;
    this.#dropped = 0;
    return dropped;
  }
}

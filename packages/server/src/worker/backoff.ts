import type { Clock } from "../base/clock.ts";

const FIRST_DELAY_MS = 100;
const MAX_DELAY_MS = 30_000;
const MAX_POSTPONED_MS = 1000;

/** How long a fault keeps counting, and how many of them are a loop. */
export const CRASH_LOOP_WINDOW_MS = 60_000;
export const CRASH_LOOP_DEATHS = 5;

/**
 * Waits before tries that follow a fault: none after the first fault, then 0.1 s doubling to 30 s, each shortened at random by up to
 * half so that many workers do not come back in step.
 */
export class Backoff {
  readonly #clock: Clock;
  readonly #random: () => number;
  #faultsMs: number[] = [];
  #streak = 0;
  #postponed = 0;

  constructor(clock: Clock, random: () => number) {
    this.#clock = clock;
    this.#random = random;
  }

  /** Notes a fault and returns how long to wait in milliseconds before the next try. */
  fault(): number {
    const nowMs = this.#clock.nowMs();
    this.#postponed = 0;
    this.#faultsMs = this.#faultsMs.filter((atMs) => nowMs - atMs < CRASH_LOOP_WINDOW_MS);
    this.#faultsMs.push(nowMs);
    this.#streak++;
    if (this.#streak === 1) return 0;
    const delayMs = Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** (this.#streak - 2));
    return delayMs * (1 - this.#random() / 2);
  }

  /** The wait after an end that was nobody's fault: short, and it counts for nothing. */
  blameless(): number {
    return FIRST_DELAY_MS * (1 - this.#random() / 2);
  }

  /** The wait after a try that could not even be made: grows with every try, to a second at most, and counts for nothing. */
  postponed(): number {
    const delayMs = Math.min(MAX_POSTPONED_MS, FIRST_DELAY_MS * 2 ** this.#postponed++);
    return delayMs * (1 - this.#random() / 2);
  }

  /** True when the last minute saw five faults without a success between them. */
  isLoop(): boolean {
    return this.#faultsMs.length >= CRASH_LOOP_DEATHS;
  }

  /** It worked: faults before now count no more. */
  success(): void {
    this.#faultsMs = [];
    this.#streak = 0;
    this.#postponed = 0;
  }
}

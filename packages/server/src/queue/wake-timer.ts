import type { Clock } from "../base/clock.ts";

/**
 * One timer for everything that happens by itself. A wake-up that turned out too early is left to fire and asks again: cheaper than
 * moving a timer with every request.
 */
export class WakeTimer {
  readonly #clock: Clock;
  readonly #wake: () => void;
  #atMs = Number.POSITIVE_INFINITY;
  #cancel: (() => void) | undefined;

  constructor(clock: Clock, wake: () => void) {
    this.#clock = clock;
    this.#wake = wake;
  }

  /** Wakes at `atMs` at the latest; Infinity asks for nothing. */
  wakeAt(atMs: number, nowMs: number): void {
    if (atMs >= this.#atMs) return;
    this.#cancel?.();
    this.#atMs = atMs;
    this.#cancel = this.#clock.after(Math.max(0, atMs - nowMs), () => {
      this.#atMs = Number.POSITIVE_INFINITY;
      this.#cancel = undefined;
      this.#wake();
    });
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#atMs = Number.POSITIVE_INFINITY;
  }
}

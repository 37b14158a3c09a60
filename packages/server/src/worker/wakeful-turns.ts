import type { Clock } from "../base/clock.ts";

/** A turn of the event loop that took longer had something to do. */
const IDLE_TURN_MS = 0.005;

export interface WakefulTurnsOptions {
  readonly clock: Pick<Clock, "nowMs">;
  /** False: what was waited for is here, or will not come. */
  isWaiting(): boolean;
  /** The time is over. */
  onNothing(): void;
}

/** Keeps the event loop turning for a while in place of letting it fall asleep. */
export class WakefulTurns {
  readonly #options: WakefulTurnsOptions;
  #isTurning = false;
  #turnedMs = 0;
  #untilMs = 0;
  #idleMs = 0;

  constructor(options: WakefulTurnsOptions) {
    this.#options = options;
  }

  /** For how long it has turned with nothing to do, in all. */
  get idleMs(): number {
    return this.#idleMs;
  }

  stayAwake(ms: number): void {
    this.#turnedMs = this.#options.clock.nowMs();
    this.#untilMs = this.#turnedMs + ms;
    if (this.#isTurning) return;
    this.#isTurning = true;
    setImmediate(this.#turn);
  }

  readonly #turn = (): void => {
    const { clock, isWaiting, onNothing } = this.#options;
    this.#isTurning = false;
    if (!isWaiting()) return;
    const nowMs = clock.nowMs();
    this.#idleMs += Math.min(nowMs - this.#turnedMs, IDLE_TURN_MS);
    this.#turnedMs = nowMs;
    this.#isTurning = nowMs < this.#untilMs;
    if (this.#isTurning) setImmediate(this.#turn);
    else onNothing();
  };
}

/** The loop slept between two calls when it did so for this long: to poll takes less. */
const ASLEEP_MS = 0.004;
/** An answer that usually takes longer is not waited for actively, and none for longer. */
const LONGEST_MS = 0.3;
/** Of what an answer usually takes. */
const PATIENCE = 2;
const SMOOTHING = 1 / 8;
/** From this score on it is waited; a quiet call, and a wait that was worth it, is 1 more. */
const ENOUGH = 16;
const MOST = 64;
const LEAST = -MOST;
/** What a call right after the one before costs: more than every fourth, and it is not waited. */
const BUSY_COST = 4;
/** What a wait in vain costs. */
const MISS_COST = 32;

/**
 * Decides whether a process that just asked a worker should wait actively for the answer, since to fall asleep and be woken takes as long as a small
 * model runs. Only while this process has nothing else to do: its event loop slept between the calls before. What it is told of time is in
 * milliseconds: now, and how long the event loop has slept in all.
 */
export class ActiveWait {
  #score = 0;
  #askedMs = 0;
  #usualMs = LONGEST_MS;
  #sleptMs = 0;

  /** A call is sent. How long to wait for its answer actively; 0: not at all. */
  asked(nowMs: number, sleptMs: number): number {
    this.#askedMs = nowMs;
    this.#add(sleptMs - this.#sleptMs > ASLEEP_MS ? 1 : -BUSY_COST);
    if (this.#score < ENOUGH || this.#usualMs >= LONGEST_MS) return 0;
    return Math.min(PATIENCE * this.#usualMs, LONGEST_MS);
  }

  answered(nowMs: number, sleptMs: number): void {
    const tookMs = Math.min(nowMs - this.#askedMs, 2 * LONGEST_MS);
    this.#usualMs += (tookMs - this.#usualMs) * SMOOTHING;
    this.#sleptMs = sleptMs;
  }

  /** How a wait ended: in vain, a core is wanted elsewhere. */
  waited(isAnswered: boolean): void {
    this.#add(isAnswered ? 1 : -MISS_COST);
  }

  #add(points: number): void {
    this.#score = Math.max(LEAST, Math.min(MOST, this.#score + points));
  }
}

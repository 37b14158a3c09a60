import { Habit } from "./habit.ts";

/** The event loop slept between two calls when it did so for this long: to poll takes less. */
const ASLEEP_MS = 0.004;
/** An answer that usually takes longer is not waited for actively, and none for longer. */
const LONGEST_ANSWER_MS = 0.3;
/** The same of the call that follows an answer. */
const LONGEST_PAUSE_MS = 0.2;
/** A quiet call, and a wait that was worth it. */
const GAIN = 1;
/** What a call right after the one before costs: more than every fourth, and it is not waited. */
const BUSY_COST = 4;
/** What a wait in vain costs. */
const MISS_COST = 32;

/**
 * Decides whether a process should wait actively, since to fall asleep and be woken takes as long as a small model runs: for a worker's answer when
 * it has just asked it, and for the next call when it has just been answered. Only while this process has nothing else to do: its event loop slept between the
 * calls before. What it is told of time is in milliseconds: now, and how long the event loop has slept in all, or turned for nothing but a wait.
 */
export class ActiveWait {
  readonly #answers = new Habit(LONGEST_ANSWER_MS);
  readonly #pauses = new Habit(LONGEST_PAUSE_MS);
  #askedMs = 0;
  #answeredMs = 0;
  #sleptMs = 0;

  /** A call is sent. How long to wait for its answer actively; 0: not at all. */
  asked(nowMs: number, sleptMs: number): number {
    const points = sleptMs - this.#sleptMs > ASLEEP_MS ? GAIN : -BUSY_COST;
    this.#askedMs = nowMs;
    this.#answers.add(points);
    this.#pauses.add(points);
    this.#pauses.took(nowMs - this.#answeredMs);
    return this.#answers.waitMs;
  }

  /** How long to stay awake for the next call, if none is under way; 0: not at all. */
  answered(nowMs: number, sleptMs: number): number {
    this.#answers.took(nowMs - this.#askedMs);
    this.#answeredMs = nowMs;
    this.#sleptMs = sleptMs;
    return this.#pauses.waitMs;
  }

  /** How a wait for an answer ended: in vain, a core is wanted elsewhere. */
  waited(isAnswered: boolean): void {
    this.#answers.add(isAnswered ? GAIN : -MISS_COST);
  }

  /** No call came while this process stayed awake. */
  noneCame(): void {
    this.#pauses.add(-MISS_COST);
  }
}

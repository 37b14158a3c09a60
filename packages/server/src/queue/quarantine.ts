import { fingerprintOf, sampleOf } from "./fingerprint.ts";
import type { Job, Piece } from "./job.ts";

interface Suspect {
  readonly sample: number;
  deaths: number;
  lastDeathMs: number;
  untilMs: number;
  isQuarantined: boolean;
}

/** How long a single death stays on an input's record. */
const SUSPICION_MS = 60_000;
/** Inputs on record at most; the oldest is forgotten first. */
const MOST_SUSPECTS = 1_024;

export type Verdict = "clear" | "suspect" | "quarantined";

/**
 * Remembers inputs that ended workers. An input that two workers in a row did not survive, the second while it ran alone, is
 * refused for a while. Bytes are hashed only once there is a suspect, and only when a cheap sample matches one.
 */
export class Quarantine {
  readonly #quarantineMs: number;
  readonly #suspects = new Map<string, Suspect>();
  readonly #samples = new Map<number, number>();

  constructor(quarantineMs: number) {
    this.#quarantineMs = quarantineMs;
  }

  /** Inputs on record, suspects included. */
  get size(): number {
    return this.#suspects.size;
  }

  /** What is known of this request's input. A `suspect` must run alone, so that its guilt or innocence shows. */
  judge(job: Job, nowMs: number): Verdict {
    if (this.#suspects.size === 0 || !this.#samples.has(sampleOf(job.inputs))) return "clear";
    const fingerprint = fingerprintOf(job.inputs, job.tenant);
    const suspect = this.#suspects.get(fingerprint);
    if (suspect === undefined) return "clear";
    if (nowMs >= suspect.untilMs) {
      this.#forget(fingerprint);
      return "clear";
    }
    job.fingerprint = fingerprint;
    return suspect.isQuarantined ? "quarantined" : "suspect";
  }

  /**
   * A worker was lost while this piece ran, and the piece's `deaths` already counts it. True: its input is in quarantine from now on.
   * Deaths of runs that overlapped count once, so that losing all workers at the same moment condemns nobody.
   */
  blame(
    piece: Piece,
    run: { readonly isAlone: boolean; readonly dispatchedMs: number },
    nowMs: number,
  ): boolean {
    const job = piece.job;
    job.fingerprint ??= fingerprintOf(job.inputs, job.tenant);
    const suspect = this.#record(job);
    if (run.dispatchedMs > suspect.lastDeathMs) suspect.deaths += 1;
    suspect.lastDeathMs = nowMs;
    suspect.isQuarantined ||= run.isAlone && Math.max(piece.deaths, suspect.deaths) >= 2;
    suspect.untilMs =
      nowMs + (suspect.isQuarantined ? this.#quarantineMs : Math.min(SUSPICION_MS, this.#quarantineMs));
    return suspect.isQuarantined;
  }

  /** The input was answered after all: the deaths were not its fault. */
  absolve(job: Job): void {
    if (job.fingerprint !== undefined) this.#forget(job.fingerprint);
  }

  #record(job: Job): Suspect {
    let suspect = this.#suspects.get(job.fingerprint!);
    if (suspect !== undefined) return suspect;
    if (this.#suspects.size >= MOST_SUSPECTS) this.#forget(this.#suspects.keys().next().value!);
    const sample = sampleOf(job.inputs);
    suspect = { sample, deaths: 0, lastDeathMs: Number.NEGATIVE_INFINITY, untilMs: 0, isQuarantined: false };
    this.#suspects.set(job.fingerprint!, suspect);
    this.#samples.set(sample, (this.#samples.get(sample) ?? 0) + 1);
    return suspect;
  }

  #forget(fingerprint: string): void {
    const suspect = this.#suspects.get(fingerprint);
    if (suspect === undefined) return;
    this.#suspects.delete(fingerprint);
    const left = this.#samples.get(suspect.sample)! - 1;
    if (left === 0) this.#samples.delete(suspect.sample);
    else this.#samples.set(suspect.sample, left);
  }
}

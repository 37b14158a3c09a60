import { createHash } from "node:crypto";
import type { ServeError } from "../base/errors.ts";
import type { NamedTensor } from "../base/tensor.ts";
import type { BatchItem, QueuedRequest } from "./queued-request.ts";
import { quarantined, type Rejection, tooSlow } from "./rejection.ts";

interface Suspect {
  readonly sample: number;
  deaths: number;
  lastDeathMs: number;
  untilMs: number;
  isQuarantined: boolean;
  /** How the last run ended. */
  error: ServeError;
}

/** How long a single death stays on an input's record. */
const SUSPICION_MS = 60_000;
/** Inputs on record at most; the oldest is forgotten first. */
const MOST_SUSPECTS = 1_024;

type Verdict = "clear" | "suspect" | "quarantined";

/**
 * Remembers inputs that ended workers. An input that two workers in a row did not survive, the second while it ran alone, is
 * rejected for a while. Bytes are hashed only once there is a suspect, and only when a cheap sample matches one.
 */
export class Quarantine {
  readonly #quarantineMs: number;
  readonly #suspects = new Map<string, Suspect>();
  readonly #samples = new Map<number, number>();

  constructor(quarantineMs: number) {
    this.#quarantineMs = quarantineMs;
  }

  get isEmpty(): boolean {
    return this.#suspects.size === 0;
  }

  /** What is known of this request's input. A `suspect` must run alone, so that it shows whether it is the cause. */
  judge(request: QueuedRequest, nowMs: number): Verdict {
    if (this.#suspects.size === 0 || !this.#samples.has(sampleOf(request.inputs))) return "clear";
    const fingerprint = fingerprintOf(request.inputs, request.tenant);
    const suspect = this.#suspects.get(fingerprint);
    if (suspect === undefined) return "clear";
    if (nowMs >= suspect.untilMs) {
      this.#forget(fingerprint);
      return "clear";
    }
    request.fingerprint = fingerprint;
    return suspect.isQuarantined ? "quarantined" : "suspect";
  }

  /** What a request with an input in quarantine is told, once it was judged so. */
  rejectionOf(request: QueuedRequest): Rejection {
    const error = this.#suspects.get(request.fingerprint ?? "")?.error;
    return error?.reason === "execution_timeout" ? tooSlow(error) : quarantined();
  }

  /**
   * A worker was lost while this item ran, and the item's `deaths` already counts it. True: its input is in quarantine from now on.
   * Deaths of runs that overlapped count once, so that losing all workers at the same moment puts none in quarantine.
   */
  recordDeath(
    item: BatchItem,
    run: { readonly isAlone: boolean; readonly dispatchedMs: number; readonly error: ServeError },
    nowMs: number,
  ): boolean {
    const { request } = item;
    request.fingerprint ??= fingerprintOf(request.inputs, request.tenant);
    const suspect = this.#record(request, run.error);
    suspect.error = run.error;
    if (run.dispatchedMs > suspect.lastDeathMs) suspect.deaths += 1;
    suspect.lastDeathMs = nowMs;
    suspect.isQuarantined ||= run.isAlone && Math.max(item.deaths, suspect.deaths) >= 2;
    suspect.untilMs =
      nowMs + (suspect.isQuarantined ? this.#quarantineMs : Math.min(SUSPICION_MS, this.#quarantineMs));
    return suspect.isQuarantined;
  }

  /** The input has a result after all: the deaths were not its fault. */
  recordResult(request: QueuedRequest): void {
    if (request.fingerprint !== undefined) this.#forget(request.fingerprint);
  }

  #record(request: QueuedRequest, error: ServeError): Suspect {
    let suspect = this.#suspects.get(request.fingerprint!);
    if (suspect !== undefined) return suspect;
    if (this.#suspects.size >= MOST_SUSPECTS) this.#forget(this.#suspects.keys().next().value!);
    const sample = sampleOf(request.inputs);
    suspect = {
      sample,
      deaths: 0,
      lastDeathMs: Number.NEGATIVE_INFINITY,
      untilMs: 0,
      isQuarantined: false,
      error,
    };
    this.#suspects.set(request.fingerprint!, suspect);
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

/** SHA-256 over names, shapes and bytes, and over the tenant: no tenant can have another's input rejected. */
export function fingerprintOf(inputs: readonly NamedTensor[], tenant: string): string {
  const hash = createHash("sha256");
  hash.update(
    JSON.stringify([tenant, ...inputs.map(({ name, datatype, shape }) => [name, datatype, shape])]),
  );
  for (const input of inputs) hash.update(input.bytes);
  return hash.digest("base64");
}

/** A cheap first look: a 32-bit mix of sizes and of 32 bytes per input. Equal inputs have equal samples. */
function sampleOf(inputs: readonly NamedTensor[]): number {
  let mixed = 0x811c9dc5;
  for (let i = 0; i < inputs.length; i++) {
    const bytes = inputs[i]!.bytes;
    mixed = Math.imul(mixed ^ bytes.length, 0x01000193);
    const step = Math.max(1, bytes.length / 32);
    for (let at = 0; at < bytes.length; at += step)
      mixed = Math.imul(mixed ^ bytes[Math.floor(at)]!, 0x01000193);
  }
  return mixed >>> 0;
}

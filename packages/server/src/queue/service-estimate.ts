import { SlidingCount } from "./sliding-count.ts";

const SAMPLES = 64;
/** Fewer samples say too little about a 95th percentile. */
const LEAST_SAMPLES = 10;
/** An estimate that no run confirmed for this long is dropped, so that a wrong one cannot reject all requests for ever. */
const STALE_MS = 2_000;
const DRAIN_WINDOW_MS = 5_000;

/** How long runs take and how fast the queue drains, from the last runs. Costs one sort of 64 numbers per eight runs. */
export class ServiceEstimate {
  readonly #samples = new Float64Array(SAMPLES);
  readonly #drained = new SlidingCount(DRAIN_WINDOW_MS);
  #count = 0;
  #lastMs = Number.NEGATIVE_INFINITY;
  #firstMs = Number.NaN;
  #meanMs = 0;
  #p95Ms = 0;

  /** A run of `requests` requests took `serviceMs` from dispatch to answer. */
  observe(serviceMs: number, requests: number, nowMs: number): void {
    if (nowMs - this.#lastMs > STALE_MS) this.#count = 0;
    if (Number.isNaN(this.#firstMs)) this.#firstMs = nowMs - serviceMs;
    this.#samples[this.#count % SAMPLES] = serviceMs;
    this.#count += 1;
    this.#lastMs = nowMs;
    this.#meanMs =
      this.#count === 1 ? serviceMs : this.#meanMs + (serviceMs - this.#meanMs) / Math.min(this.#count, 16);
    if (this.#count <= LEAST_SAMPLES || this.#count % 8 === 0) this.#sort();
    this.#drained.add(requests, nowMs);
  }

  /** The 95th percentile of a run's service time; undefined when not known well or lately enough. */
  p95Ms(nowMs: number): number | undefined {
    return this.#count < LEAST_SAMPLES || nowMs - this.#lastMs > STALE_MS ? undefined : this.#p95Ms;
  }

  /** Mean of about the last sixteen runs; undefined under the same conditions as `p95Ms`. */
  meanMs(nowMs: number): number | undefined {
    return this.p95Ms(nowMs) === undefined ? undefined : this.#meanMs;
  }

  /** Requests answered per millisecond over the last seconds; 0 when none was. */
  drainPerMs(nowMs: number): number {
    const elapsed = Math.min(DRAIN_WINDOW_MS, nowMs - this.#firstMs);
    return elapsed > 0 ? this.#drained.total(nowMs) / elapsed : 0;
  }

  #sort(): void {
    const filled = Math.min(this.#count, SAMPLES);
    const sorted = this.#samples.slice(0, filled).sort();
    this.#p95Ms = sorted[Math.min(filled - 1, Math.floor(filled * 0.95))]!;
  }
}

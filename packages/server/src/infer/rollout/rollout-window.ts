/** Bounds of latencies grow by a tenth, from 50 µs on: 180 of them reach 20 minutes. */
const GROWTH = 1.1;
const FIRST_MS = 0.05;
const BOUNDS = 180;
const PER_LOG = 1 / Math.log(GROWTH);

/** What one version did since a step began. A percentile is exact to a tenth. */
export class RolloutWindow {
  requests = 0;
  failed = 0;
  readonly #counts = new Uint32Array(BOUNDS + 1);

  answered(latencyMs: number): void {
    this.requests += 1;
    this.#counts[placeOf(latencyMs)]! += 1;
  }

  fail(): void {
    this.requests += 1;
    this.failed += 1;
  }

  /** Undefined: nothing was answered. */
  get p95Ms(): number | undefined {
    const rank = Math.ceil((this.requests - this.failed) * 0.95);
    if (rank === 0) return undefined;
    let seen = 0;
    for (let place = 0; place <= BOUNDS; place++) {
      seen += this.#counts[place]!;
      if (seen >= rank) return FIRST_MS * GROWTH ** place;
    }
    return undefined;
  }

  /** How many answers took longer for certain: those within a tenth of it are not among them. */
  slowerThan(latencyMs: number): number {
    let count = 0;
    for (let place = placeOf(latencyMs) + 1; place <= BOUNDS; place++) count += this.#counts[place]!;
    return count;
  }
}

function placeOf(latencyMs: number): number {
  if (!(latencyMs > FIRST_MS)) return 0;
  return Math.min(BOUNDS, Math.ceil(Math.log(latencyMs / FIRST_MS) * PER_LOG));
}

import type { ValueRange } from "./static-int8.ts";

/**
 * Bins are the upper bits of a float32: sign, exponent and six bits of the fraction. Every bin is as wide as a 64th of its numbers, so
 * there is no range to choose or to widen, and one outlier does not cost the other numbers their resolution. 256 KiB a histogram.
 */
const DROPPED_BITS = 17;
const BINS = 2 ** (32 - DROPPED_BITS);
const NEGATIVE = BINS / 2;

/** How often a value took which numbers, over any count of runs. */
export class ValueHistogram {
  readonly #counts = new Float64Array(BINS);
  #total = 0;
  #min = Number.POSITIVE_INFINITY;
  #max = Number.NEGATIVE_INFINITY;

  add(values: Float32Array): void {
    const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
    const counts = this.#counts;
    let [min, max] = [this.#min, this.#max];
    for (let i = 0; i < values.length; i++) {
      const bin = bits[i]! >>> DROPPED_BITS;
      counts[bin] = counts[bin]! + 1;
      // Both stay NaN once there was one.
      min = Math.min(min, values[i]!);
      max = Math.max(max, values[i]!);
    }
    [this.#min, this.#max] = [min, max];
    this.#total += values.length;
  }

  /**
   * The range of the middle `percentile` percent: half of the rest is left out at each end, at most, by counting whole bins. Never wider
   * than from the smallest to the largest number; of NaNs when there was one, or nothing at all; not finite when an infinity is not left out.
   */
  range(percentile: number): ValueRange {
    if (this.#total === 0 || Number.isNaN(this.#min)) return { min: Number.NaN, max: Number.NaN };
    const cut = (this.#total * (100 - percentile)) / 200;
    const [first, last] = [this.#reached(ascending, cut), this.#reached(descending, cut)];
    return { min: Math.max(this.#min, edges(first).low), max: Math.min(this.#max, edges(last).high) };
  }

  /** The first bin in an order that more than `cut` numbers reach. */
  #reached(order: (at: number) => number, cut: number): number {
    let sum = 0;
    for (let at = 0; at < BINS; at++) {
      sum += this.#counts[order(at)]!;
      if (sum > cut) return order(at);
    }
    return order(BINS - 1);
  }
}

/** Bins by their numbers: the bits of negative ones grow as the numbers fall. */
function ascending(at: number): number {
  return at < NEGATIVE ? BINS - 1 - at : at - NEGATIVE;
}

function descending(at: number): number {
  return ascending(BINS - 1 - at);
}

function edges(bin: number): { readonly low: number; readonly high: number } {
  const [inner, outer] = new Float32Array(
    Uint32Array.of(bin << DROPPED_BITS, ((bin + 1) << DROPPED_BITS) - 1).buffer,
  );
  return bin < NEGATIVE ? { low: inner!, high: outer! } : { low: outer!, high: inner! };
}

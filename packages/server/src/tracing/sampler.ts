/** Which traces are recorded. */
export interface Sampling {
  /** Of traces that begin here, 0 to 1. */
  readonly ratio: number;
  /** Requests that come with a trace are recorded as that says. */
  readonly followsParent: boolean;
}

/** Random bits that a decision is made from, as OpenTelemetry has it: the last seven bytes of a trace id. */
const LOW_VALUES = 2 ** 32;
export const HIGH_VALUES: number = 2 ** 24;

/** Says of the last 56 bits of a trace id whether the trace is recorded. `high` has 24 of them, `low` 32. */
export interface RatioSampler {
  /** Below this high part none is, whatever the low one says. */
  readonly high: number;
  includes(high: number, low: number): boolean;
}

/**
 * Those at or above `(1 - ratio) * 2^56` are recorded, so that whoever samples the same trace at the same ratio or a higher one records it, too.
 */
export function ratioSampler(ratio: number): RatioSampler {
  if (ratio >= 1) return { high: 0, includes: () => true };
  if (ratio <= 0) return { high: HIGH_VALUES, includes: () => false };
  const scaled = (1 - ratio) * HIGH_VALUES;
  const thresholdHigh = Math.floor(scaled);
  const thresholdLow = Math.round((scaled - thresholdHigh) * LOW_VALUES);
  return {
    high: thresholdHigh,
    includes: (high, low) => high > thresholdHigh || (high === thresholdHigh && low >= thresholdLow),
  };
}

/** The same of a trace id in hexadecimal digits. */
export function isTraceInRatio(sampler: RatioSampler, traceId: string): boolean {
  return sampler.includes(Number.parseInt(traceId.slice(18, 24), 16), Number.parseInt(traceId.slice(24), 16));
}

/** The same for so many traces, and then for none. */
export function atMost({ high, includes }: RatioSampler, most: number): RatioSampler {
  let left = most;
  return {
    high,
    includes(traceHigh, traceLow) {
      if (left <= 0 || !includes(traceHigh, traceLow)) return false;
      left -= 1;
      return true;
    },
  };
}

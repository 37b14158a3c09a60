/** Which traces are recorded. */
export interface Sampling {
  /** Of traces that begin here, 0 to 1. */
  readonly ratio: number;
  /** Requests that come with a trace are recorded as that says. */
  readonly followsParent: boolean;
}

/** Random bits that a decision is made from, as OpenTelemetry has it: the last seven bytes of a trace id. */
const LOW_VALUES = 2 ** 32;
const HIGH_VALUES = 2 ** 24;

/**
 * Says of the last 56 bits of a trace id whether the trace is recorded: those at or above `(1 - ratio) * 2^56` are, so that whoever samples
 * the same trace at the same ratio or a higher one records it, too. `high` has 24 bits, `low` 32.
 */
export function ratioSampler(ratio: number): (high: number, low: number) => boolean {
  if (ratio >= 1) return () => true;
  if (ratio <= 0) return () => false;
  const scaled = (1 - ratio) * HIGH_VALUES;
  const thresholdHigh = Math.floor(scaled);
  const thresholdLow = Math.round((scaled - thresholdHigh) * LOW_VALUES);
  return (high, low) => high > thresholdHigh || (high === thresholdHigh && low >= thresholdLow);
}

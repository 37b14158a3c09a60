import type { Clock } from "../base/clock.ts";
import { ServeError } from "../base/errors.ts";

/** Milliseconds of each `grpc-timeout` unit, as a multiplier or, below a millisecond, a divisor: both keep the result exact. */
const MULTIPLIER: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1 };
const DIVISOR: Readonly<Record<string, number>> = { u: 1000, n: 1_000_000 };

/** Digits that a `grpc-timeout` may have (gRPC over HTTP/2, "Timeout"). */
const MAX_DIGITS = 8;

/**
 * Milliseconds of a `grpc-timeout` header: one to eight digits and a unit of `H M S m u n`, from `1n` to `99999999H`, correctly
 * rounded. Throws `invalid_argument` for anything else.
 */
export function parseGrpcTimeout(header: string): number {
  const unit = header.slice(-1);
  const digits = header.slice(0, -1);
  const value = digits.length <= MAX_DIGITS ? parseDigits(digits) : undefined;
  if (value !== undefined) {
    const multiplier = MULTIPLIER[unit];
    if (multiplier !== undefined) return value * multiplier;
    const divisor = DIVISOR[unit];
    if (divisor !== undefined) return value / divisor;
  }
  throw new ServeError(
    "invalid_argument",
    "grpc-timeout must be one to eight digits and a unit (H, M, S, m, u or n), such as 250m",
    { reason: "bad_timeout" },
  );
}

/** Milliseconds of an `x-request-timeout-ms` header: a whole number above 0. Throws `invalid_argument`. */
export function parseTimeoutMs(header: string): number {
  const value = header.length <= 15 ? parseDigits(header) : undefined;
  if (value !== undefined && value > 0) return value;
  throw new ServeError(
    "invalid_argument",
    "x-request-timeout-ms must be a whole number of milliseconds above 0, of at most 15 digits",
    { reason: "bad_timeout" },
  );
}

/**
 * Milliseconds of the Open Inference Protocol's `timeout` parameter, which counts microseconds; 0 means none, as in Triton. Throws
 * `invalid_argument`.
 */
export function parseTimeoutParameter(value: boolean | number | bigint | string): number | undefined {
  const micros = typeof value === "string" ? parseDigits(value) : Number(value);
  if (typeof value === "boolean" || micros === undefined || !(micros >= 0) || !Number.isInteger(micros)) {
    throw new ServeError(
      "invalid_argument",
      'the parameter "timeout" must be a whole number of microseconds',
      {
        reason: "bad_timeout",
      },
    );
  }
  return micros === 0 ? undefined : micros / 1000;
}

/** When the earliest of some timeouts runs out, in monotonic milliseconds; undefined when none is set. */
export function earliestDeadline(
  startMs: number,
  timeoutsMs: readonly (number | undefined)[],
): number | undefined {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < timeoutsMs.length; i++) least = Math.min(least, timeoutsMs[i] ?? least);
  return least === Number.POSITIVE_INFINITY ? undefined : startMs + least;
}

/** Calls `onExpired` when `deadlineMs` (monotonic) is reached, at once if it is past; the returned function prevents it. */
export function startDeadline(clock: Clock, deadlineMs: number, onExpired: () => void): () => void {
  const delayMs = deadlineMs - clock.nowMs();
  if (delayMs > 0) return clock.after(delayMs, onExpired);
  onExpired();
  return () => {};
}

/** How far a client's clock, and the way of its words, may be from ours. */
const CLOCK_SLACK_MS = 10;

/**
 * Why a request failed: a client that leaves when its deadline comes, or work that is stopped then, says `cancelled`, and means the
 * deadline.
 */
export function preferDeadline(error: ServeError, deadlineMs: number | undefined, nowMs: number): ServeError {
  if (error.code !== "cancelled" || deadlineMs === undefined || nowMs < deadlineMs - CLOCK_SLACK_MS) {
    return error;
  }
  return new ServeError("deadline_exceeded", "the deadline passed before the response was ready", {
    reason: "deadline_exceeded",
    cause: error,
  });
}

function parseDigits(text: string): number | undefined {
  if (text.length === 0 || text.length > 15) return undefined;
  let value = 0;
  for (let i = 0; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 48;
    if (digit < 0 || digit > 9) return undefined;
    value = value * 10 + digit;
  }
  return value;
}

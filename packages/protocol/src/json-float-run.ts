/** Where a reader of plain numbers stands, and where they go. */
export interface FloatRun {
  readonly bytes: Uint8Array;
  readonly end: number;
  readonly view: DataView;
  readonly out: { at: number };
  /** At the beginning of an element. */
  at: number;
}

// 10^0 … 10^22: exact in float64; up to 10^10 in float32 as well.
const POWERS_OF_TEN = Float64Array.from({ length: 23 }, (_, k) => Number(`1e${k}`));
/** Digits whose value an int32 holds. */
const INT32_DIGITS = 9;
/** Such digits and a point. */
const MOST_CHARS = 11;
/** Digits that are read at all: what a float64 needs to come back, and some that Python writes. */
const MOST_DIGITS = 19;
/** Whole numbers below it are float32s. */
const FLOAT32_WHOLE = 2 ** 24;
/** Twice what a value of many digits is wrong by, relatively. */
const MARGIN = 2 ** -47;

const DOT = 0x2e;
const MINUS = 0x2d;
const COMMA = 0x2c;
const SPACE = 0x20;
const ZERO = 0x30;

/**
 * Reads FP32 elements while they are plain: at most 19 digits without exponent, a comma right behind them and perhaps one space. Stops at the first
 * that is not, unread, after `most` elements, or past `until`. Each is the nearest float32. Returns how many it read; the comma behind the last one is
 * read as well.
 */
export function readFloatRun(run: FloatRun, most: number, until: number): number {
  const { bytes, end, view } = run;
  let { at } = run;
  let outAt = run.out.at;
  let count = 0;
  const last = Math.min(until, end);
  while (count < most && at < last) {
    let i = at;
    const isNegative = bytes[i] === MINUS;
    if (isNegative) i++;
    const first = i;
    const stop = Math.min(first + MOST_CHARS, end);
    let digit = bytes[i]! - ZERO;
    if (digit >>> 0 > 9) break;
    let digits = digit;
    for (i++; i < stop; i++) {
      digit = bytes[i]! - ZERO;
      if (digit >>> 0 > 9) break;
      digits = (digits * 10 + digit) | 0;
    }
    const whole = i - first;
    // A zero before other digits is no number.
    if (whole > 1 && bytes[first] === ZERO) break;
    let scale = 0;
    if (bytes[i] === DOT) {
      for (i++; i < stop; i++) {
        digit = bytes[i]! - ZERO;
        if (digit >>> 0 > 9) break;
        digits = (digits * 10 + digit) | 0;
      }
      scale = i - first - whole - 1;
      if (scale === 0) break;
    }
    let value = digits / POWERS_OF_TEN[scale]!;
    if (whole + scale > INT32_DIGITS) {
      i = endOfDigits(bytes, i, { first, end });
      value = longValue(bytes, first, i);
      if (isNearBorder(value)) break;
      // A quotient of float32s that is rounded to a float64 first comes out the same (S. Figueroa, "When is double rounding innocuous?").
    } else if (digits >= FLOAT32_WHOLE && isNearBorder(value)) break;
    if (i >= end || bytes[i] !== COMMA) break;
    view.setFloat32(outAt, isNegative ? -value : value, true);
    outAt += 4;
    count++;
    at = i + 1;
    if (bytes[at] === SPACE) at++;
  }
  run.at = at;
  run.out.at = outAt;
  return count;
}

/** The end of a number whose first digits are read up to `from`, as far as a plain one may go on. */
function endOfDigits(
  bytes: Uint8Array,
  from: number,
  { first, end }: { first: number; end: number },
): number {
  const stop = Math.min(first + MOST_DIGITS + 1, end);
  let i = from;
  while (i < stop && (bytes[i]! - ZERO) >>> 0 <= 9) i++;
  return i;
}

/** The value of the digits `bytes[first, end)` with a point among them or none, wrong by 2⁻⁵⁰ of it at most. */
function longValue(bytes: Uint8Array, first: number, end: number): number {
  let mantissa = 0;
  let scale = 0;
  for (let i = first; i < end; i++) {
    if (bytes[i] === DOT) scale = end - i - 1;
    else mantissa = mantissa * 10 + (bytes[i]! - ZERO);
  }
  return mantissa / POWERS_OF_TEN[scale]!;
}

/** Whether the number that a float64 stands for may lie on the other side of where float32s are rounded apart. */
function isNearBorder(value: number): boolean {
  return Math.fround(value * (1 - MARGIN)) !== Math.fround(value * (1 + MARGIN));
}

import { stickyValue } from "./sticky-value.ts";

/**
 * Longest number literal accepted in JSON. Shortest forms of float64 and int64 need at most 25 characters, C's `%f` of the largest float64 and
 * exact decimal expansions several hundred.
 */
export const MAX_NUMBER_CHARS = 1000;

/** A number literal just read. One object is reused for a whole tensor, so that reading allocates nothing. */
export interface NumberLiteral {
  /** First byte after the literal; of one longer than `MAX_NUMBER_CHARS`, whose value is not read, the byte after one character more. */
  end: number;
  /** The literal's value: the nearest float64 when `exact`, else within 2⁻⁴⁸ of it, relatively. */
  value: number;
  exact: boolean;
  /** Written without fraction and exponent. */
  integer: boolean;
}

/** For `readNumber` to write into, again and again. */
export function newNumberLiteral(): NumberLiteral {
  return { end: 0, value: 0, exact: true, integer: true };
}

// Powers up to 10^22 are exact in float64, which the fast path below relies on; the others are correctly rounded.
const POWERS_OF_TEN = Float64Array.from({ length: 291 }, (_, k) => Number(`1e${k}`));
const LARGEST_EXACT_POWER = 22;
const LARGEST_POWER = POWERS_OF_TEN.length - 1;
/** Digits that a float64 mantissa holds without rounding. */
const EXACT_DIGITS = 15;
/** Digits past these are smaller than the error bound of `value`. */
const USEFUL_DIGITS = 19;

const DOT = 0x2e;
const MINUS = 0x2d;
const PLUS = 0x2b;
const ZERO = 0x30;
const LOWER_E = 0x65;
const CASE_BIT = 0x20;

/**
 * Reads the JSON number that starts at `start` (RFC 8259 §6, strictly: no leading zeros, digits after the point). False when there
 * is none. Literals of up to 15 digits are converted here (W. Clinger's fast path: both operands exact, so one rounding);
 * longer ones get an approximation, which is enough to decide most float32 and is refined when it is not. Never looks further than
 * `MAX_NUMBER_CHARS + 1` characters.
 */
export function readNumber(bytes: Uint8Array, start: number, end: number, literal: NumberLiteral): boolean {
  const stop = Math.min(end, start + MAX_NUMBER_CHARS + 1);
  const negative = bytes[start] === MINUS;
  const first = negative ? start + 1 : start;
  let i = first;
  let point = -1;
  let mantissa = 0;
  let digits = 0;
  let exponent = 0;
  for (; i < stop; i++) {
    const digit = bytes[i]! - ZERO;
    if (digit >>> 0 > 9) {
      if (digit !== DOT - ZERO || point >= 0) break;
      point = i;
    } else if (digits === USEFUL_DIGITS) {
      if (point < 0) exponent++;
    } else {
      mantissa = mantissa * 10 + digit;
      if (mantissa !== 0) digits++;
      if (point >= 0) exponent--;
    }
  }
  if (i - start > MAX_NUMBER_CHARS) return endless(literal, i);
  if (i === first || point === first || (point >= 0 && point === i - 1)) return false;
  if (bytes[first] === ZERO && i > first + 1 && point !== first + 1) return false;
  literal.end = i;
  literal.integer = point < 0;
  if (i < stop && (bytes[i]! | CASE_BIT) === LOWER_E) {
    exponent += readExponent(bytes, i + 1, stop, literal);
    if (literal.end - start > MAX_NUMBER_CHARS) return endless(literal, literal.end);
    if (literal.end === i) return false;
  }
  literal.exact =
    digits <= EXACT_DIGITS && exponent >= -LARGEST_EXACT_POWER && exponent <= LARGEST_EXACT_POWER;
  literal.value = scaled(negative ? -mantissa : mantissa, exponent);
  if (Number.isNaN(literal.value)) {
    literal.value = Number(asciiText(bytes, start, literal.end));
    literal.exact = true;
  }
  return true;
}

/** Makes `literal` one that is too long; whoever asked for it looks at its length before its value. */
function endless(literal: NumberLiteral, end: number): true {
  literal.end = end;
  literal.value = Number.NaN;
  literal.exact = true;
  return true;
}

/** Reads an exponent and moves `literal.end` past it; leaves it where it was when there are no digits. */
function readExponent(bytes: Uint8Array, start: number, end: number, literal: NumberLiteral): number {
  const negative = bytes[start] === MINUS;
  const first = negative || bytes[start] === PLUS ? start + 1 : start;
  let i = first;
  let exponent = 0;
  for (; i < end; i++) {
    const digit = bytes[i]! - ZERO;
    if (digit >>> 0 > 9) break;
    // Saturates far outside float64's range, so that no number of digits overflows.
    if (exponent < 100_000) exponent = exponent * 10 + digit;
  }
  literal.integer = false;
  if (i > first) literal.end = i;
  return negative ? -exponent : exponent;
}

/** mantissa · 10^exponent, or NaN when the power is out of the table. */
function scaled(mantissa: number, exponent: number): number {
  if (mantissa === 0 || exponent === 0) return mantissa;
  const power = exponent < 0 ? -exponent : exponent;
  if (power > LARGEST_POWER) return Number.NaN;
  return exponent < 0 ? mantissa / POWERS_OF_TEN[power]! : mantissa * POWERS_OF_TEN[power]!;
}

/** The float64 nearest to a literal that `readNumber` accepted; ±Infinity when it is out of range. */
export function float64Value(bytes: Uint8Array, start: number, literal: NumberLiteral): number {
  return literal.exact ? literal.value : Number(asciiText(bytes, start, literal.end));
}

/** Twice the error bound of an approximate value. */
const MARGIN = 2 ** -47;

/** The float32 nearest to a literal that `readNumber` accepted; ±Infinity when it is out of range. */
export function float32Value(bytes: Uint8Array, start: number, literal: NumberLiteral): number {
  const { value } = literal;
  if (literal.exact) {
    const near = Math.fround(value);
    if (near === value) return near;
    // The float32 on the other side is as far away only when this float64 lies on a rounding border.
    const other = 2 * value - near;
    if (Math.fround(other) !== other) return near;
  } else {
    // The true value lies between these two. Only when a rounding border lies there too is the slow way needed.
    const low = Math.fround(value * (1 - MARGIN));
    if (low === Math.fround(value * (1 + MARGIN))) return low;
  }
  return Math.fround(stickyValue(asciiText(bytes, start, literal.end)));
}

/** Text of a short run of ASCII bytes. */
export function asciiText(bytes: Uint8Array, start: number, end: number): string {
  let text = "";
  for (let i = start; i < end; i++) text += String.fromCharCode(bytes[i]!);
  return text;
}

import type { ByteWriter } from "./byte-writer.ts";

/*
 * The shortest digits of a float32, by interval: scaled to nine digits before the point, the float32s next to it are further away than a few units,
 * and whatever lies nearer than half of that comes back as the same one. The scaling is one exact product or quotient, rounded once.
 */

// 10^0 … 10^22: exact in float64.
const POWERS_OF_TEN = Float64Array.from({ length: 23 }, (_, k) => Number(`1e${k}`));
const FLOAT = new Float32Array(1);
const BITS = new Uint32Array(FLOAT.buffer);
const MANTISSA = 0x7fffff;
const EXPONENTS = 256;
/** Decimal exponents that are scaled exactly, and written without an exponent. */
const LEAST_DECIMAL = -6;
const MOST_DECIMAL = 8;
/** Far more than the error of a scaled value, far less than half of the distance to the next float32. */
const DOUBT = 1e-4;

/** By binary exponent: the least decimal exponent of such numbers; NaN for those that are written elsewhere. */
const DECIMAL = Int8Array.from({ length: EXPONENTS }, (_, e) => Math.floor(Math.log10(2) * (e - 127)));
/** By binary exponent: half the distance to the next float32. */
const HALF_STEP = Float64Array.from({ length: EXPONENTS }, (_, e) => 2 ** (e - 127 - 24));

/** Nine digits, or fewer and zeros, and how many of them stand behind the point. */
export interface ShortestDigits {
  digits: number;
  scale: number;
}

/**
 * Puts the shortest digits of a positive float32 into `into`: at most nine, those nearest to it among the shortest of seven or more (fewer are
 * those with zeros at the end). False, when it is not between 10^−6 and 10^9, a power of two, or too near to a border to tell.
 */
export function shortestDigits(value: number, into: ShortestDigits): boolean {
  FLOAT[0] = value;
  const bits = BITS[0]!;
  const exponent = bits >>> 23;
  // The float32 below a power of two is nearer than the one above.
  if ((bits & MANTISSA) === 0) return false;
  let decimal = DECIMAL[exponent]!;
  if (decimal < LEAST_DECIMAL - 1 || decimal > MOST_DECIMAL) return false;
  if (decimal + 1 >= 0 ? value >= POWERS_OF_TEN[decimal + 1]! : value * POWERS_OF_TEN[-decimal - 1]! >= 1)
    decimal++;
  if (decimal < LEAST_DECIMAL || decimal > MOST_DECIMAL) return false;
  const scale = 8 - decimal;
  const power = POWERS_OF_TEN[scale]!;
  const scaled = value * power;
  const half = HALF_STEP[exponent]! * power;
  // Rounded to a multiple of 100, of 10, of 1: below 2^31, so that cutting off a half more is rounding.
  let digits = ((scaled * 0.01 + 0.5) | 0) * 100;
  let distance = Math.abs(digits - scaled);
  if (distance > half - DOUBT) {
    if (distance < half + DOUBT) return false;
    digits = ((scaled * 0.1 + 0.5) | 0) * 10;
    distance = Math.abs(digits - scaled);
    if (distance > half - DOUBT) {
      if (distance < half + DOUBT) return false;
      digits = (scaled + 0.5) | 0;
    }
  }
  // Rounded up to ten digits.
  if (digits === 1e9) return false;
  into.digits = digits;
  into.scale = scale;
  return true;
}

const ZERO = 0x30;
const DOT = 0x2e;
/** The digits of 0 … 999, three bytes each. */
const TRIPLES = new Uint8Array(3000);
for (let i = 0; i < 1000; i++) {
  TRIPLES[3 * i] = ZERO + Math.floor(i / 100);
  TRIPLES[3 * i + 1] = ZERO + (Math.floor(i / 10) % 10);
  TRIPLES[3 * i + 2] = ZERO + (i % 10);
}

/** Writes digits · 10^−scale, nine digits, 0 ≤ scale ≤ 14. The caller made room for `MAX_NUMBER_TEXT` bytes. */
export function writeNineDigits(out: ByteWriter, { digits, scale }: ShortestDigits): void {
  const { bytes, at: start } = out;
  const whole = 9 - scale;
  // Behind the point: where the first of the digits goes when all of them do.
  let at = start + 1;
  if (whole <= 0) {
    bytes[start] = ZERO;
    bytes[at++] = DOT;
    for (let i = whole; i < 0; i++) bytes[at++] = ZERO;
  }
  const upper = (digits / 1000) | 0;
  const high = (upper / 1000) | 0;
  writeTriple(bytes, at, high * 3);
  writeTriple(bytes, at + 3, (upper - high * 1000) * 3);
  writeTriple(bytes, at + 6, (digits - upper * 1000) * 3);
  at += 9;
  if (whole > 0) {
    for (let i = start; i < start + whole; i++) bytes[i] = bytes[i + 1]!;
    bytes[start + whole] = DOT;
  }
  while (bytes[at - 1] === ZERO) at--;
  out.at = bytes[at - 1] === DOT ? at - 1 : at;
}

function writeTriple(bytes: Uint8Array, at: number, index: number): void {
  bytes[at] = TRIPLES[index]!;
  bytes[at + 1] = TRIPLES[index + 1]!;
  bytes[at + 2] = TRIPLES[index + 2]!;
}

/** Writes a whole number from 0 to 999. */
export function writeBelowThousand(out: ByteWriter, value: number): void {
  const { bytes } = out;
  const index = 3 * value;
  if (value >= 100) bytes[out.at++] = TRIPLES[index]!;
  if (value >= 10) bytes[out.at++] = TRIPLES[index + 1]!;
  bytes[out.at++] = TRIPLES[index + 2]!;
}

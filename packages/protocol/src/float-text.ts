import type { ByteWriter } from "./byte-writer.ts";
import {
  type ShortestDigits,
  shortestDigits,
  writeBelowThousand,
  writeNineDigits,
} from "./shortest-float.ts";

const DOT = 0x2e;
const MINUS = 0x2d;
const ZERO = 0x30;

/** Room that any number needs at most. */
export const MAX_NUMBER_TEXT = 25;

// 10^0 … 10^22: exact in float64.
const POWERS_OF_TEN = Float64Array.from({ length: 23 }, (_, k) => Number(`1e${k}`));
const SHORTEST: ShortestDigits = { digits: 0, scale: 0 };
const FLOAT = new Float32Array(1);
const BITS = new Uint32Array(FLOAT.buffer);
const LOG10_OF_2 = Math.log10(2);
/** Outside these the plain notation gets long, or the scaling is no longer exact. */
const SMALLEST_PLAIN = 1e-6;
const LARGEST_PLAIN = 1e15;
const SMALLEST_SCALED = 1e-13;

/** Writes an integer of at most 2^31−1 in magnitude. The caller made room for `MAX_NUMBER_TEXT` bytes. */
export function writeInt32(out: ByteWriter, value: number): void {
  if (value >= 0 && value < 1000) {
    writeBelowThousand(out, value);
    return;
  }
  let left = value;
  if (left < 0) {
    out.bytes[out.at++] = MINUS;
    left = -left;
  }
  const end = out.at + digitsOf(left);
  writeDigits(out.bytes, end, left);
  out.at = end;
}

/**
 * Writes a finite float32 with as few digits as bring back the same float32 (at most 9), so half the bytes of its float64 form
 * and a fraction of its cost. The candidate's value is computed exactly (powers of ten up to 10^22), so a wrong one cannot pass.
 */
export function writeFloat32(out: ByteWriter, value: number): void {
  let magnitude = value;
  if (value < 0 || (value === 0 && 1 / value < 0)) {
    out.bytes[out.at++] = MINUS;
    magnitude = -value;
  }
  if (magnitude < 1e9 && magnitude === Math.floor(magnitude)) {
    writeInt32(out, magnitude);
    return;
  }
  if (shortestDigits(magnitude, SHORTEST)) {
    writeNineDigits(out, SHORTEST);
    return;
  }
  if (magnitude < SMALLEST_SCALED || magnitude >= LARGEST_PLAIN) {
    out.ascii(shortestOf(magnitude));
    return;
  }
  FLOAT[0] = magnitude;
  let exponent = Math.floor((((BITS[0]! >>> 23) & 0xff) - 127) * LOG10_OF_2);
  if (
    exponent >= -1
      ? magnitude >= POWERS_OF_TEN[exponent + 1]!
      : magnitude * POWERS_OF_TEN[-exponent - 1]! >= 1
  )
    exponent++;
  for (let precision = 7; precision <= 9; precision++) {
    const scale = precision - 1 - exponent;
    const digits = Math.round(
      scale >= 0 ? magnitude * POWERS_OF_TEN[scale]! : magnitude / POWERS_OF_TEN[-scale]!,
    );
    const back = scale >= 0 ? digits / POWERS_OF_TEN[scale]! : digits * POWERS_OF_TEN[-scale]!;
    if (Math.fround(back) === magnitude) {
      writeDecimal(out, digits, scale);
      return;
    }
  }
  out.ascii(shortestOf(magnitude));
}

function shortestOf(float32: number): string {
  for (let precision = 1; precision <= 9; precision++) {
    const text = float32.toPrecision(precision);
    if (Math.fround(Number(text)) === float32) return String(Number(text));
  }
  return String(float32);
}

/** Writes digits · 10^−scale; digits < 2^31. */
function writeDecimal(out: ByteWriter, allDigits: number, fullScale: number): void {
  let digits = allDigits;
  let scale = fullScale;
  while (scale > 0 && digits % 10 === 0) {
    digits = (digits / 10) | 0;
    scale--;
  }
  const { bytes } = out;
  const count = digitsOf(digits);
  if (scale <= 0) {
    writeDigits(bytes, out.at + count, digits);
    bytes.fill(ZERO, out.at + count, out.at + count - scale);
    out.at += count - scale;
    return;
  }
  if (count > scale) {
    const end = out.at + count + 1;
    const power = POWERS_OF_TEN[scale]!;
    const whole = Math.floor(digits / power);
    writeDigits(bytes, end - scale - 1, whole);
    bytes.fill(ZERO, end - scale, end);
    writeDigits(bytes, end, digits - whole * power);
    bytes[end - scale - 1] = DOT;
    out.at = end;
    return;
  }
  writeSmall(out, digits, scale);
}

/** Writes a number below 1: plain down to 10^−6, with an exponent below. */
function writeSmall(out: ByteWriter, digits: number, scale: number): void {
  const { bytes } = out;
  const count = digitsOf(digits);
  if (digits / POWERS_OF_TEN[scale]! >= SMALLEST_PLAIN) {
    const end = out.at + 2 + scale;
    bytes.fill(ZERO, out.at, end);
    bytes[out.at + 1] = DOT;
    writeDigits(bytes, end, digits);
    out.at = end;
    return;
  }
  const power = POWERS_OF_TEN[count - 1]!;
  const lead = Math.floor(digits / power);
  bytes[out.at++] = ZERO + lead;
  if (count > 1) {
    const end = out.at + count;
    bytes.fill(ZERO, out.at, end);
    bytes[out.at] = DOT;
    writeDigits(bytes, end, digits - lead * power);
    out.at = end;
  }
  bytes[out.at++] = 0x65;
  bytes[out.at++] = MINUS;
  writeInt32(out, scale - count + 1);
}

function digitsOf(value: number): number {
  if (value < 1e5) return value < 100 ? (value < 10 ? 1 : 2) : value < 1e3 ? 3 : value < 1e4 ? 4 : 5;
  return value < 1e8 ? (value < 1e6 ? 6 : value < 1e7 ? 7 : 8) : value < 1e9 ? 9 : 10;
}

/** Writes the digits of an int32 so that they end before `end`; zero writes one digit. */
function writeDigits(bytes: Uint8Array, end: number, value: number): void {
  let left = value | 0;
  let at = end;
  do {
    const next = (left / 10) | 0;
    bytes[--at] = ZERO + (left - next * 10);
    left = next;
  } while (left > 0);
}

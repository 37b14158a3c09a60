const MINUS = 0x2d;
const float = new Float64Array(1);
const bits = new BigInt64Array(float.buffer);

/**
 * The float64 nearest to a JSON number of at most `MAX_NUMBER_CHARS` characters, or its neighbour where it would hide that the literal is not exactly that:
 * rounded once more, to any shorter format, it gives what the literal itself would give, and it is a whole number only if the literal is one.
 */
export function stickyValue(text: string): number {
  const value = Number(text);
  if (value === 0)
    return isZero(text) ? value : text.charCodeAt(0) === MINUS ? -Number.MIN_VALUE : Number.MIN_VALUE;
  if (!Number.isFinite(value)) return value;
  const difference = compareMagnitude(text, value);
  if (difference === 0) return value;
  float[0] = value;
  // An odd last bit stands for what is cut off; an even one would pass for an exact border.
  if ((bits[0]! & 1n) === 0n) bits[0]! += BigInt(difference);
  return float[0];
}

function isZero(text: string): boolean {
  return !/[1-9]/.test(text.split(/e/i, 1)[0]!);
}

/** The sign of |text| − |value|, exactly. */
function compareMagnitude(text: string, value: number): number {
  const [, whole = "", fraction = "", power = "0"] =
    /^-?(\d+)(?:\.(\d+))?(?:e([+-]?\d+))?$/i.exec(text) ?? [];
  let decimal = BigInt(whole + fraction);
  const exponent = Number(power) - fraction.length;
  float[0] = Math.abs(value);
  const field = Number(bits[0]! >> 52n);
  let binary = (bits[0]! & 0xf_ffff_ffff_ffffn) | (field === 0 ? 0n : 1n << 52n);
  const shift = Math.max(field, 1) - 1075;
  if (exponent > 0) decimal *= 10n ** BigInt(exponent);
  else binary *= 10n ** BigInt(-exponent);
  if (shift > 0) binary <<= BigInt(shift);
  else decimal <<= BigInt(-shift);
  return decimal > binary ? 1 : decimal < binary ? -1 : 0;
}

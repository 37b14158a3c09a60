const FLOAT = new Float32Array(1);
const BITS = new Uint32Array(FLOAT.buffer);

/** The float16 nearest to a number, ties to even (IEEE 754). */
export function halfBits(value: number): number {
  FLOAT[0] = value;
  const bits = BITS[0]!;
  const sign = (bits >>> 16) & 0x8000;
  const exponent = ((bits >>> 23) & 0xff) - 127;
  const fraction = bits & 0x7fffff;
  if (exponent === 128) return sign | 0x7c00 | (fraction === 0 ? 0 : 0x200);
  if (exponent >= -14) return sign | Math.min(0x7c00, ((exponent + 15) << 10) + roundShift(fraction, 13));
  if (exponent < -25) return sign;
  return sign | roundShift(fraction | 0x800000, -exponent - 1);
}

/** The number that a float16 stands for. */
export function fromHalfBits(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15));
}

/** The bfloat16 nearest to a number, ties to even. */
export function bfloatBits(value: number): number {
  FLOAT[0] = value;
  if (Number.isNaN(value)) return 0x7fc0;
  return roundShift(BITS[0]!, 16) & 0xffff;
}

/** The number that a bfloat16 stands for. */
export function fromBfloatBits(bits: number): number {
  BITS[0] = (bits << 16) >>> 0;
  return FLOAT[0]!;
}

/** `value >> shift`, rounded to nearest, ties to even. */
function roundShift(value: number, shift: number): number {
  const half = 2 ** (shift - 1);
  const low = value % 2 ** shift;
  const high = Math.floor(value / 2 ** shift);
  return low > half || (low === half && high % 2 === 1) ? high + 1 : high;
}

import type { IndexRange } from "../base/signature.ts";
import type { Tensor } from "../base/tensor.ts";

/** The first value outside of a range, and its place among the elements. */
export interface OutlyingIndex {
  readonly element: number;
  readonly value: bigint;
}

/** The first element of an integer tensor that is outside of `range`; undefined when there is none. The bytes must fit the shape. */
export function outlyingIndex(
  { datatype, bytes }: Pick<Tensor, "datatype" | "bytes">,
  range: IndexRange,
): OutlyingIndex | undefined {
  switch (datatype) {
    case "INT64":
      return inInt64(bytes, range);
    case "INT32":
      return inNumbers(int32s(bytes), range);
    case "INT16":
      return inNumbers(int16s(bytes), range);
    case "INT8":
      return inNumbers(new Int8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength), range);
    case "UINT8":
      return inNumbers(bytes, range);
    default:
      return undefined;
  }
}

/** Up to so many bytes are read one by one: that takes less time than making a typed array. */
const FEW_BYTES = 128;

/** In halves: numbers are an order of magnitude faster than BigInts, and ranges end far below 2³¹ on both sides. */
function inInt64(bytes: Uint8Array, { min, max }: IndexRange): OutlyingIndex | undefined {
  if (bytes.byteLength <= FEW_BYTES) return inFewBytes(bytes, min, max);
  return min === 0 ? fromZero(int32s(bytes), max) : inHalves(int32s(bytes), min, max);
}

/** The common range: without its sign a negative number is a large one, so that one comparison takes care of both ends. */
function fromZero(halves: Int32Array, max: number): OutlyingIndex | undefined {
  for (let at = 0; at < halves.length; at += 2) {
    const low = halves[at]!;
    if (low >>> 0 > max || halves[at + 1] !== 0) return outlying(at / 2, low, halves[at + 1]!);
  }
  return undefined;
}

function inFewBytes(bytes: Uint8Array, min: number, max: number): OutlyingIndex | undefined {
  for (let at = 0; at < bytes.length; at += 8) {
    const low = int32At(bytes, at);
    const high = int32At(bytes, at + 4);
    // An int64 is a small number when its upper half only repeats the sign of the lower one.
    if (low < min || low > max || high !== low >> 31) return outlying(at / 8, low, high);
  }
  return undefined;
}

function inHalves(halves: Int32Array, min: number, max: number): OutlyingIndex | undefined {
  for (let at = 0; at < halves.length; at += 2) {
    const low = halves[at]!;
    const high = halves[at + 1]!;
    if (low < min || low > max || high !== low >> 31) return outlying(at / 2, low, high);
  }
  return undefined;
}

function outlying(element: number, low: number, high: number): OutlyingIndex {
  return { element, value: (BigInt(high) << 32n) + BigInt(low >>> 0) };
}

function int32At(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}

function inNumbers(values: ArrayLike<number>, { min, max }: IndexRange): OutlyingIndex | undefined {
  for (let i = 0; i < values.length; i++) {
    if (values[i]! >= min && values[i]! <= max) continue;
    return { element: i, value: BigInt(values[i]!) };
  }
  return undefined;
}

function int32s(bytes: Uint8Array): Int32Array {
  const { buffer, byteOffset, byteLength } = aligned(bytes, 4);
  return new Int32Array(buffer, byteOffset, byteLength / 4);
}

function int16s(bytes: Uint8Array): Int16Array {
  const { buffer, byteOffset, byteLength } = aligned(bytes, 2);
  return new Int16Array(buffer, byteOffset, byteLength / 2);
}

/** Bytes that a typed array can look at: those that lie at an odd place are copied. */
function aligned(bytes: Uint8Array, size: number): Uint8Array {
  return bytes.byteOffset % size === 0 ? bytes : bytes.slice();
}

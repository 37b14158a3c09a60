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
      return inNumbers(new Int32Array(...aligned(bytes, 4)), range);
    case "INT16":
      return inNumbers(new Int16Array(...aligned(bytes, 2)), range);
    case "INT8":
      return inNumbers(new Int8Array(...aligned(bytes, 1)), range);
    case "UINT8":
      return inNumbers(bytes, range);
    default:
      return undefined;
  }
}

/** In halves: numbers are an order of magnitude faster than BigInts, and ranges end far below 2³¹ on both sides. */
function inInt64(bytes: Uint8Array, { min, max }: IndexRange): OutlyingIndex | undefined {
  const halves = new Int32Array(...aligned(bytes, 4));
  for (let i = 0; i < halves.length; i += 2) {
    const low = halves[i]!;
    // An int64 is a small number when its upper half only repeats the sign of the lower one.
    if (halves[i + 1] === low >> 31 && low >= min && low <= max) continue;
    const value = (BigInt(halves[i + 1]!) << 32n) + BigInt(low >>> 0);
    return { element: i / 2, value };
  }
  return undefined;
}

function inNumbers(values: ArrayLike<number>, { min, max }: IndexRange): OutlyingIndex | undefined {
  for (let i = 0; i < values.length; i++) {
    if (values[i]! >= min && values[i]! <= max) continue;
    return { element: i, value: BigInt(values[i]!) };
  }
  return undefined;
}

/** What a typed array over these bytes is made of; bytes that lie at an odd place are copied. */
function aligned(bytes: Uint8Array, size: number): [ArrayBufferLike, number, number] {
  const { buffer, byteOffset } = bytes.byteOffset % size === 0 ? bytes : bytes.slice();
  return [buffer, byteOffset, bytes.byteLength / size];
}

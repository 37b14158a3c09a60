import { denseBytes } from "../../archive/stored-tensor.ts";
import type { Coded, StoredCodes } from "../core/coded.ts";
import type { Emitter } from "../core/emitter.ts";
import type { Tensor, Val } from "../core/tensor.ts";

interface Packing {
  readonly input: Tensor;
  readonly kept: Coded;
  /** Whether `kept` is [out, in]. */
  readonly isTransposed: boolean;
}

/** A product of floats with a stored weight whose groups share a scale, of 4 or 8 bits a code. Undefined where MatMulNBits has no such groups. */
export function packedProduct(g: Emitter, { input, kept, isTransposed }: Packing): Val | undefined {
  const { stored, groupSize } = kept;
  if (stored === undefined || groupSize === undefined) return undefined;
  if (!isTransposed || stored.isTransposed || groupSize < 16 || !Number.isInteger(Math.log2(groupSize)))
    return undefined;
  const [n, k] = stored.tensor.shape as readonly [number, number];
  if (k % groupSize !== 0) return undefined;
  const packed = packCodes(stored, groupSize);
  if (packed === undefined) return undefined;
  const { bits, codes, zeros } = packed;
  const groups = k / groupSize;
  const weight: Val = {
    name: g.builder.constantOf(`packed ${stored.name}`, () => ({
      dtype: "uint8",
      dims: [n, groups, (groupSize * bits) / 8],
      data: codes,
    })),
    dtype: "uint8",
  };
  const zero: Val | undefined = zeros && {
    name: g.builder.constantOf(`packed zeros ${stored.name}`, () => ({
      dtype: "uint8",
      dims: [zeros.length],
      data: zeros,
    })),
    dtype: "uint8",
  };
  const scales = g.reshape(kept.scale, [n * groups]);
  return g.op(
    "com.microsoft.MatMulNBits",
    [input, weight, scales, zero],
    { K: k, N: n, bits, block_size: groupSize },
    "float32",
  );
}

interface Packed {
  readonly bits: 4 | 8;
  readonly codes: Uint8Array;
  /** Undefined: the middle of the range. */
  readonly zeros: Uint8Array | undefined;
}

/** Codes counted from 0: two of 4 bits in a byte, the lower first, where all fit in them. */
function packCodes({ name, tensor, zeros }: StoredCodes, groupSize: number): Packed | undefined {
  const bytes = denseBytes(name, tensor);
  const isSigned = tensor.dtype === "int8";
  const values = isSigned ? new Int8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength) : bytes;
  const [low, high] = isSigned ? [-8, 7] : [0, 15];
  const fits = (numbers: Iterable<number>, least: number, most: number): boolean => {
    for (const number of numbers) if (number < least || number > most) return false;
    return true;
  };
  const given = zeros ?? [0];
  const isNibbles = fits(values, low!, high!) && fits(given, low!, high!);
  const offset = isSigned ? (isNibbles ? 8 : 128) : 0;
  if (!fits(given, isSigned ? -128 : 0, isSigned ? 127 : 255)) return undefined;
  const middle = isNibbles ? 8 : 128;
  const [n, k] = tensor.shape as readonly [number, number];
  const groups = k / groupSize;
  const all = zeros ?? Array.from({ length: n * groups }, () => 0);
  const moved = all.map((zero) => zero + offset);
  const packedZeros = moved.every((zero) => zero === middle)
    ? undefined
    : isNibbles
      ? nibbles(moved, groups)
      : Uint8Array.from(moved);
  const codes = Uint8Array.from(values, (value) => value + offset);
  return isNibbles
    ? { bits: 4, codes: nibbles(codes, k), zeros: packedZeros }
    : { bits: 8, codes, zeros: packedZeros };
}

/** Rows of numbers below 16, two to a byte; a row begins a byte. */
function nibbles(numbers: ArrayLike<number>, width: number): Uint8Array {
  const rows = width === 0 ? 0 : numbers.length / width;
  const stride = Math.ceil(width / 2);
  const packed = new Uint8Array(rows * stride);
  for (let row = 0; row < rows; row++) {
    for (let i = 0; i < width; i++)
      packed[row * stride + (i >> 1)]! |= numbers[row * width + i]! << (4 * (i & 1));
  }
  return packed;
}

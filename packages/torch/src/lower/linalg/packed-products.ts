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
  const [n, k] = tensor.shape as readonly [number, number];
  const given = zeros ?? new Array<number>((n * k) / groupSize).fill(0);
  const [low, high] = isSigned ? [-128, 127] : [0, 255];
  if (given.some((zero) => zero < low! || zero > high!)) return undefined;
  // The lowest code of 4 bits is −8, or 0.
  const shift = isSigned ? 8 : 0;
  const isNibbles = fitNibbles(bytes, shift) && given.every((zero) => zero + shift >= 0 && zero + shift < 16);
  const offset = isSigned ? (isNibbles ? 8 : 128) : 0;
  const moved = Uint8Array.from(given, (zero) => zero + offset);
  const packed = (numbers: Uint8Array, width: number): Uint8Array =>
    isNibbles ? nibbles(numbers, width) : numbers;
  const isMiddle = moved.every((zero) => zero === (isNibbles ? 8 : 128));
  return {
    bits: isNibbles ? 4 : 8,
    codes: packed(movedBytes(bytes, offset), k),
    zeros: isMiddle ? undefined : packed(moved, k / groupSize),
  };
}

function fitNibbles(bytes: Uint8Array, shift: number): boolean {
  for (let i = 0; i < bytes.length; i++) if (((bytes[i]! + shift) & 0xff) > 15) return false;
  return true;
}

function movedBytes(bytes: Uint8Array, offset: number): Uint8Array {
  const moved = new Uint8Array(bytes.length);
  for (let i = 0; i < bytes.length; i++) moved[i] = bytes[i]! + offset;
  return moved;
}

/** Rows of numbers below 16, two to a byte; a row begins a byte. */
function nibbles(numbers: Uint8Array, width: number): Uint8Array {
  const rows = numbers.length / width;
  const stride = Math.ceil(width / 2);
  const packed = new Uint8Array(rows * stride);
  for (let row = 0; row < rows; row++) {
    for (let i = 0; i < width; i++) {
      const at = row * stride + (i >> 1);
      packed[at] = packed[at]! | (numbers[row * width + i]! << (4 * (i & 1)));
    }
  }
  return packed;
}

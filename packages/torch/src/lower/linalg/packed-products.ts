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

/**
 * A product of floats with a stored weight of 4-bit codes whose groups share a scale, which stay packed. Undefined where MatMulNBits has no such
 * groups, and for wider codes: it is slower with them than floats are.
 */
export function packedProduct(g: Emitter, { input, kept, isTransposed }: Packing): Val | undefined {
  const { stored, groupSize } = kept;
  if (stored === undefined || groupSize === undefined || stored.isTransposed === isTransposed)
    return undefined;
  const [n, k] = stored.tensor.shape as readonly [number, number];
  if (groupSize < 16 || !Number.isInteger(Math.log2(groupSize)) || k % groupSize !== 0) return undefined;
  const packed = packCodes(stored, groupSize);
  if (packed === undefined) return undefined;
  const constant = (what: string, dims: readonly number[], data: Uint8Array): Val => ({
    name: g.builder.constantOf(`${what} ${stored.name}`, () => ({ dtype: "uint8", dims, data })),
    dtype: "uint8",
  });
  const { codes, zeros } = packed;
  const groups = k / groupSize;
  const weight = constant("packed", [n, groups, groupSize / 2], codes);
  const zero = zeros && constant("packed zeros", [zeros.length], zeros);
  return g.op(
    "com.microsoft.MatMulNBits",
    [input, weight, g.reshape(kept.scale, [n * groups]), zero],
    { K: k, N: n, bits: 4, block_size: groupSize },
    "float32",
  );
}

interface Packed {
  /** Two to a byte, the lower first, counted from 0. */
  readonly codes: Uint8Array;
  /** Undefined: all are 8, the middle of the range. */
  readonly zeros: Uint8Array | undefined;
}

/** Codes and zeros that have 4 bits; undefined when one of them needs more. */
function packCodes({ name, tensor, zeros }: StoredCodes, groupSize: number): Packed | undefined {
  const bytes = denseBytes(name, tensor);
  const [n, k] = tensor.shape as readonly [number, number];
  // The lowest code of 4 bits is −8, or 0.
  const offset = tensor.dtype === "int8" ? 8 : 0;
  const given = zeros ?? new Array<number>((n * k) / groupSize).fill(0);
  if (!given.every((zero) => zero + offset >= 0 && zero + offset < 16)) return undefined;
  const codes = movedBytes(bytes, offset);
  if (codes === undefined) return undefined;
  const moved = Uint8Array.from(given, (zero) => zero + offset);
  const isMiddle = moved.every((zero) => zero === 8);
  return { codes: nibbles(codes, k), zeros: isMiddle ? undefined : nibbles(moved, k / groupSize) };
}

/** Every byte and the offset; undefined when a sum is not below 16. */
function movedBytes(bytes: Uint8Array, offset: number): Uint8Array | undefined {
  const moved = new Uint8Array(bytes.length);
  for (let i = 0; i < bytes.length; i++) {
    const sum = (bytes[i]! + offset) & 0xff;
    if (sum > 15) return undefined;
    moved[i] = sum;
  }
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

import type { ByteSource } from "../byte-source.ts";
import { BYTE_WIDTHS, type DType } from "../dtype.ts";
import { ModelFileError } from "../errors.ts";
import { type ByteRange, offsetInFile } from "./byte-range.ts";

/** A run of raw little-endian bytes that tensors view. Tensors share memory exactly when they hold the same object. */
export interface TensorStorage {
  readonly byteLength: number;
  /** Where the bytes lie inside the outermost file; undefined when they lie in no file as they are (compressed, made in memory). */
  locate(): ByteRange | undefined;
  /** The bytes; may be a view on shared memory, so do not write into them. Throws ModelFileError. */
  read(): Uint8Array;
}

/** A tensor as a file stores it: a strided view on a storage. Every reader of weights answers this one type. */
export interface StoredTensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** In elements, one per dimension. */
  readonly strides: readonly number[];
  /** In elements. */
  readonly storageOffset: number;
  readonly storage: TensorStorage;
}

/** PyTorch's own limit on dimensions. */
const MAX_RANK = 64;

/** A dense copy may pass its storage's size (stride 0 repeats elements) up to this many bytes. */
const MAX_EXPANDED_BYTES = 64 * 2 ** 20;

/** The row-major strides of a shape, in elements. */
export function contiguousStrides(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  let step = 1;
  for (let dim = shape.length - 1; dim >= 0; dim -= 1) {
    strides[dim] = step;
    step *= Math.max(shape[dim]!, 1);
  }
  return strides;
}

/** The number of elements of a shape. Throws ModelFileError("corrupt") for sizes that are not sizes, or overflow. */
export function elementCount(shape: readonly number[]): number {
  if (shape.length > MAX_RANK) throw new ModelFileError("corrupt", `a tensor has ${shape.length} dimensions`);
  let count = 1;
  for (const size of shape) {
    if (!Number.isSafeInteger(size) || size < 0) {
      throw new ModelFileError("corrupt", `a tensor has the size ${size}`);
    }
    count *= size;
  }
  // A zero anywhere makes the product 0, also when the other sizes overflow: nothing is allocated for it.
  if (!Number.isSafeInteger(count)) throw new ModelFileError("corrupt", "a tensor's size overflows");
  return count;
}

/** The elements of its storage that a tensor needs, counted from the storage's start. Throws ModelFileError("corrupt"). */
export function storageExtent(tensor: Omit<StoredTensor, "storage">): number {
  const { shape, strides, storageOffset } = tensor;
  if (strides.length !== shape.length || ![storageOffset, ...strides].every(isNatural)) {
    throw new ModelFileError("corrupt", "a tensor's strides or storage offset are not valid");
  }
  if (elementCount(shape) === 0) return 0;
  let last = storageOffset;
  for (const [dim, size] of shape.entries()) last += (size - 1) * strides[dim]!;
  if (!Number.isSafeInteger(last)) throw new ModelFileError("corrupt", "a tensor's extent overflows");
  return last + 1;
}

/** Throws ModelFileError("corrupt") unless the tensor lies inside its storage. `name` is for the message. */
export function checkExtent(name: string, tensor: StoredTensor): void {
  const needed = storageExtent(tensor) * BYTE_WIDTHS[tensor.dtype];
  if (needed <= tensor.storage.byteLength) return;
  const why =
    tensor.storage.byteLength === 0
      ? "was saved without its values; save the model again with them"
      : `needs ${needed} bytes of a storage that has ${tensor.storage.byteLength}`;
  throw new ModelFileError("corrupt", `tensor '${name}' ${why}`);
}

/** Whether the elements lie row-major without holes, so that their bytes can be used (or mapped) as they are. */
export function isContiguous(tensor: StoredTensor): boolean {
  if (tensor.shape.includes(0)) return true;
  const dense = contiguousStrides(tensor.shape);
  return tensor.shape.every((size, dim) => size === 1 || tensor.strides[dim] === dense[dim]);
}

/** Where a contiguous tensor's elements lie inside the outermost file; undefined when they are strided or lie in no file. */
export function locateTensor(tensor: StoredTensor): ByteRange | undefined {
  const place = isContiguous(tensor) ? tensor.storage.locate() : undefined;
  if (place === undefined) return undefined;
  const width = BYTE_WIDTHS[tensor.dtype];
  const byteLength = elementCount(tensor.shape) * width;
  return { offset: place.offset + tensor.storageOffset * width, byteLength };
}

/**
 * The tensor's elements as row-major bytes: a view on the storage when it is contiguous, else a fresh copy. Throws
 * ModelFileError: "corrupt" when it does not lie inside its storage, "limit" when it repeats a small storage without end.
 */
export function denseBytes(name: string, tensor: StoredTensor): Uint8Array {
  checkExtent(name, tensor);
  const width = BYTE_WIDTHS[tensor.dtype];
  const byteLength = elementCount(tensor.shape) * width;
  if (byteLength === 0) return new Uint8Array();
  const bytes = tensor.storage.read();
  const start = tensor.storageOffset * width;
  if (isContiguous(tensor)) return bytes.subarray(start, start + byteLength);
  if (byteLength > Math.max(bytes.byteLength, MAX_EXPANDED_BYTES)) {
    throw new ModelFileError(
      "limit",
      `tensor '${name}' repeats its storage into ${byteLength} bytes; save a copy of it`,
    );
  }
  const dense = new Uint8Array(byteLength);
  gather(tensor, bytes, dense);
  return dense;
}

/** Copies a strided tensor row by row: an odometer over the outer dimensions, a plain loop over the last one. */
function gather(
  { dtype, shape, strides, storageOffset }: StoredTensor,
  from: Uint8Array,
  to: Uint8Array,
): void {
  const width = BYTE_WIDTHS[dtype];
  const rank = shape.length;
  const rowLength = shape[rank - 1]!;
  const rowStride = strides[rank - 1]! * width;
  const index = new Array<number>(rank).fill(0);
  let row = storageOffset * width;
  for (let at = 0; at < to.byteLength; ) {
    for (let item = 0; item < rowLength; item += 1) {
      const source = row + item * rowStride;
      for (let byte = 0; byte < width; byte += 1) to[at + byte] = from[source + byte]!;
      at += width;
    }
    for (let dim = rank - 2; dim >= 0; dim -= 1) {
      index[dim]! += 1;
      row += strides[dim]! * width;
      if (index[dim]! < shape[dim]!) break;
      row -= shape[dim]! * strides[dim]! * width;
      index[dim] = 0;
    }
  }
}

/** A storage that is a range of a source. */
export function rangeStorage(source: ByteSource, { offset, byteLength }: ByteRange): TensorStorage {
  return {
    byteLength,
    locate() {
      const start = offsetInFile(source, offset);
      return start === undefined ? undefined : { offset: start, byteLength };
    },
    read: () => source.read(offset, byteLength),
  };
}

function isNatural(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

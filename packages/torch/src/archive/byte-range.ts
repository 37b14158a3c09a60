import type { ByteSource } from "../byte-source.ts";
import { ModelFileError } from "../errors.ts";

/** Throws ModelFileError("corrupt") unless `length` bytes from `offset` lie inside `byteLength`. */
export function checkRange(offset: number, length: number, byteLength: number): void {
  const sound = Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset >= 0 && length >= 0;
  if (!sound || offset + length > byteLength) {
    throw new ModelFileError(
      "corrupt",
      `bytes ${offset}..${offset + length} lie past the end (${byteLength})`,
    );
  }
}

/** A whole file that is in memory already. */
export function memorySource(name: string, bytes: Uint8Array): ByteSource {
  return {
    name,
    byteLength: bytes.byteLength,
    read(offset, length) {
      checkRange(offset, length, bytes.byteLength);
      return bytes.subarray(offset, offset + length);
    },
  };
}

/** Bytes that lie in no file as they are, such as an inflated entry. */
export function detachedSource(name: string, bytes: Uint8Array): ByteSource {
  return { ...memorySource(name, bytes), fileOffset: null };
}

/** A part of another source, which its opener goes on owning. */
export function rangeSource(name: string, source: ByteSource, range: ByteRange): ByteSource {
  const { offset, byteLength } = range;
  checkRange(offset, byteLength, source.byteLength);
  return {
    name,
    byteLength,
    fileOffset: offsetInFile(source, offset) ?? null,
    read(at, length) {
      checkRange(at, length, byteLength);
      return source.read(offset + at, length);
    },
  };
}

/** A run of bytes inside a file. */
export interface ByteRange {
  readonly offset: number;
  readonly byteLength: number;
}

/** Where `offset` of a source lies inside the outermost file; undefined when it lies in none. */
export function offsetInFile(source: ByteSource, offset: number): number | undefined {
  return source.fileOffset === null ? undefined : (source.fileOffset ?? 0) + offset;
}

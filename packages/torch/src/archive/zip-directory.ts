import type { ByteSource } from "../byte-source.ts";
import { ModelFileError } from "../errors.ts";
import type { ZipLimits } from "./zip-limits.ts";

/** One record of a zip's central directory, as written; opening the archive checks it. */
export interface DirectoryRecord {
  readonly name: string;
  readonly flags: number;
  /** 0 stored, 8 deflated, else something else. */
  readonly method: number;
  readonly crc32: number;
  readonly compressedByteLength: number;
  readonly byteLength: number;
  readonly headerOffset: number;
}

/** The central directory of a zip. */
export interface ZipDirectory {
  readonly records: readonly DirectoryRecord[];
  /** Where the directory starts: no entry may reach past it. */
  readonly offset: number;
}

const END_BYTES = 22;
const LOCATOR_BYTES = 20;
const END64_BYTES = 56;
const RECORD_BYTES = 46;
const MAX_COMMENT = 0xffff;
const SATURATED = 0xffffffff;
const NAMES = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

interface Extent {
  readonly offset: number;
  readonly byteLength: number;
  readonly count: number;
}

/**
 * Reads a zip's central directory (APPNOTE 6.3.10 §4.3.12–16, zip64 included). Local headers are never trusted for sizes: PyTorch
 * writes them as zeros (general flag bit 3). Throws ModelFileError.
 */
export function readDirectory(source: ByteSource, limits: ZipLimits): ZipDirectory {
  const extent = findDirectory(source);
  if (extent.count > limits.maxEntries) {
    throw new ModelFileError(
      "limit",
      `the zip has ${extent.count} entries; the limit is ${limits.maxEntries}`,
    );
  }
  if (extent.byteLength > limits.maxDirectoryBytes) {
    throw new ModelFileError(
      "limit",
      `the zip's directory has ${extent.byteLength} bytes; the limit is ${limits.maxDirectoryBytes}`,
    );
  }
  if (extent.count * RECORD_BYTES > extent.byteLength) throw corrupt("its entry count does not fit its size");
  const bytes = source.read(extent.offset, extent.byteLength);
  const view = viewOf(bytes);
  const directory: Bytes = { bytes, view };
  const records: DirectoryRecord[] = [];
  let at = 0;
  for (let index = 0; index < extent.count; index += 1) {
    const length = recordLength(view, at);
    records.push(readRecord(directory, at, limits));
    at += length;
  }
  if (at !== bytes.byteLength) throw corrupt("its size does not match its entries");
  return { records, offset: extent.offset };
}

function findDirectory(source: ByteSource): Extent {
  const tailLength = Math.min(source.byteLength, END_BYTES + MAX_COMMENT + LOCATOR_BYTES);
  const tailOffset = source.byteLength - tailLength;
  const view = viewOf(source.read(tailOffset, tailLength));
  for (let at = tailLength - END_BYTES; at >= 0; at -= 1) {
    if (view.getUint32(at, true) !== 0x06054b50) continue;
    if (at + END_BYTES + view.getUint16(at + 20, true) !== tailLength) continue;
    const hasLocator = at >= LOCATOR_BYTES && view.getUint32(at - LOCATOR_BYTES, true) === 0x07064b50;
    const end = hasLocator
      ? readEnd64(source, u64(view, at - LOCATOR_BYTES + 8), tailOffset + at - LOCATOR_BYTES)
      : readEnd(view, at, tailOffset + at);
    return end;
  }
  throw new ModelFileError(
    "corrupt",
    beginsAsZip(source)
      ? "the zip archive is truncated or damaged: its directory, which stands at the end, is missing; copy the file again"
      : "not a zip archive: it has no directory at its end",
  );
}

function beginsAsZip(source: ByteSource): boolean {
  return source.byteLength >= 4 && viewOf(source.read(0, 4)).getUint32(0, true) === 0x04034b50;
}

function readEnd(view: DataView, at: number, endOffset: number): Extent {
  const onOneDisk = view.getUint16(at + 4, true) === 0 && view.getUint16(at + 6, true) === 0;
  const count = view.getUint16(at + 10, true);
  if (!onOneDisk || view.getUint16(at + 8, true) !== count) throw multiDisk();
  const byteLength = view.getUint32(at + 12, true);
  return inside({ offset: view.getUint32(at + 16, true), byteLength, count }, endOffset);
}

function readEnd64(source: ByteSource, offset: number, locatorOffset: number): Extent {
  if (offset + END64_BYTES > locatorOffset) throw corrupt("its zip64 end record lies outside the file");
  const view = viewOf(source.read(offset, END64_BYTES));
  if (view.getUint32(0, true) !== 0x06064b50) throw corrupt("its zip64 end record is missing");
  const onOneDisk = view.getUint32(16, true) === 0 && view.getUint32(20, true) === 0;
  const count = u64(view, 32);
  if (!onOneDisk || u64(view, 24) !== count) throw multiDisk();
  return inside({ offset: u64(view, 48), byteLength: u64(view, 40), count }, offset);
}

function inside(extent: Extent, end: number): Extent {
  if (extent.offset + extent.byteLength > end) throw corrupt("it lies outside the file");
  return extent;
}

function recordLength(view: DataView, at: number): number {
  if (at + RECORD_BYTES > view.byteLength || view.getUint32(at, true) !== 0x02014b50) {
    throw corrupt("an entry is cut off");
  }
  const variable =
    view.getUint16(at + 28, true) + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
  if (at + RECORD_BYTES + variable > view.byteLength) throw corrupt("an entry is cut off");
  return RECORD_BYTES + variable;
}

/** The directory, with one view for all of its records: there may be 200,000 of them. */
interface Bytes {
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

function readRecord({ bytes, view }: Bytes, at: number, limits: ZipLimits): DirectoryRecord {
  const nameLength = view.getUint16(at + 28, true);
  if (nameLength > limits.maxNameBytes) {
    throw new ModelFileError(
      "limit",
      `an entry's name has ${nameLength} bytes; the limit is ${limits.maxNameBytes}`,
    );
  }
  if (view.getUint16(at + 34, true) !== 0) throw multiDisk();
  const extraStart = at + RECORD_BYTES + nameLength;
  let wide: (() => number) | undefined;
  const field = (offset: number): number => {
    const value = view.getUint32(at + offset, true);
    if (value !== SATURATED) return value;
    wide ??= zip64Values(bytes.subarray(extraStart, extraStart + view.getUint16(at + 30, true)));
    return wide();
  };
  // The order is the format's: the zip64 extra field holds only what did not fit, in this order.
  const byteLength = field(24);
  const compressedByteLength = field(20);
  return {
    name: decodeName(bytes.subarray(at + RECORD_BYTES, extraStart)),
    flags: view.getUint16(at + 8, true),
    method: view.getUint16(at + 10, true),
    crc32: view.getUint32(at + 16, true),
    compressedByteLength,
    byteLength,
    headerOffset: field(42),
  };
}

/** The 64-bit values of a zip64 extra field (id 1), one per call. */
function zip64Values(extra: Uint8Array): () => number {
  const view = viewOf(extra);
  let at = 0;
  let end = 0;
  for (let field = 0; field + 4 <= extra.byteLength; field += 4 + view.getUint16(field + 2, true)) {
    if (view.getUint16(field, true) !== 1) continue;
    at = field + 4;
    end = Math.min(at + view.getUint16(field + 2, true), extra.byteLength);
    break;
  }
  return () => {
    if (at + 8 > end) throw corrupt("a zip64 field is missing");
    at += 8;
    return u64(view, at - 8);
  };
}

function decodeName(bytes: Uint8Array): string {
  try {
    return NAMES.decode(bytes);
  } catch (error) {
    throw new ModelFileError(
      "unsupported",
      "the zip has an entry name that is not UTF-8; save the archive again",
      { cause: error },
    );
  }
}

function u64(view: DataView, at: number): number {
  const value = view.getBigUint64(at, true);
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw corrupt("a 64-bit size is out of range");
  return Number(value);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function corrupt(what: string): ModelFileError {
  return new ModelFileError("corrupt", `the zip's directory is damaged: ${what}`);
}

function multiDisk(): ModelFileError {
  return new ModelFileError("unsupported", "the zip is split over several files; join it into one");
}

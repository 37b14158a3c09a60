import type { ByteSource, Platform } from "../byte-source.ts";
import { ModelFileError } from "../errors.ts";
import { type ByteRange, detachedSource, offsetInFile, rangeSource } from "./byte-range.ts";
import { crc32 } from "./crc32.ts";
import { type DirectoryRecord, readDirectory } from "./zip-directory.ts";
import { layOut, type PlacedRecord } from "./zip-layout.ts";
import { ZIP_LIMITS, type ZipLimits } from "./zip-limits.ts";

/** A file inside a zip. */
export interface ZipEntry {
  readonly name: string;
  /** Bytes of its content, inflated. */
  readonly byteLength: number;
  readonly compressedByteLength: number;
  /** Whether its content lies in the archive as it is, so that it can be located and mapped. */
  readonly isStored: boolean;
}

/** A zip as random-access bytes. Holds no resource of its own: the opener of the source closes it. */
export interface ZipArchive {
  /** Every file by its full name, in the order of the directory; folders are left out. */
  readonly entries: ReadonlyMap<string, ZipEntry>;
  /** The content of an entry. Throws ModelFileError: "corrupt" for an unknown name or a wrong checksum, "unsupported" for other methods. */
  read(name: string): Uint8Array;
  /** Where a stored entry's content lies inside the outermost file; undefined when it lies in no file as it is. */
  locate(name: string): ByteRange | undefined;
  /** An entry as a source: a range of this one when stored (nothing is read), else its inflated bytes. For zips in zips. */
  open(name: string): ByteSource;
}

/** Whether a source begins as a zip does, whatever is wrong with the rest. */
export function isZip(source: ByteSource): boolean {
  if (source.byteLength < ZIP_MAGIC.length) return false;
  const head = source.read(0, ZIP_MAGIC.length);
  return ZIP_MAGIC.every((byte, index) => head[index] === byte);
}

/** "PK", and the mark of an entry. */
const ZIP_MAGIC = [0x50, 0x4b, 0x03, 0x04];

/** Opens a zip by its central directory; content is read on demand. Throws ModelFileError. */
export function openZip(source: ByteSource, platform: Platform, limits?: Partial<ZipLimits>): ZipArchive {
  const bounds: ZipLimits = { ...ZIP_LIMITS, ...limits };
  const placed = layOut(readDirectory(source, bounds), bounds);
  const find = (name: string): PlacedRecord => {
    const entry = placed.get(name);
    if (entry === undefined) throw new ModelFileError("corrupt", `the archive has no entry '${name}'`);
    return entry;
  };
  const range = (entry: PlacedRecord): ByteRange => dataRange(source, entry);

  return {
    entries: new Map([...placed].map(([name, { record }]) => [name, describe(record)])),
    read: (name) => readEntry({ source, platform, bounds }, find(name)),
    locate(name) {
      const entry = find(name);
      if (entry.record.method !== 0) return undefined;
      const { offset, byteLength } = range(entry);
      const start = offsetInFile(source, offset);
      return start === undefined ? undefined : { offset: start, byteLength };
    },
    open(name) {
      const entry = find(name);
      if (entry.record.method === 0) return rangeSource(name, source, range(entry));
      return detachedSource(name, readEntry({ source, platform, bounds }, entry));
    },
  };
}

interface Reading {
  readonly source: ByteSource;
  readonly platform: Platform;
  readonly bounds: ZipLimits;
}

function readEntry({ source, platform, bounds }: Reading, entry: PlacedRecord): Uint8Array {
  const { record } = entry;
  if (record.method !== 0 && record.method !== 8) {
    throw new ModelFileError(
      "unsupported",
      `entry '${record.name}' uses zip method ${record.method}; save the archive again, stored or deflated`,
    );
  }
  if (record.byteLength > bounds.maxReadBytes) {
    throw new ModelFileError(
      "limit",
      `entry '${record.name}' has ${record.byteLength} bytes; the limit is ${bounds.maxReadBytes}`,
    );
  }
  const { offset, byteLength } = dataRange(source, entry);
  const raw = source.read(offset, byteLength);
  if (record.method === 0) {
    if (record.byteLength <= bounds.maxStoredCrcBytes) checkCrc(raw, record);
    return raw;
  }
  const inflated = platform.inflateRaw(raw, record.byteLength);
  if (inflated.byteLength !== record.byteLength) {
    throw new ModelFileError(
      "corrupt",
      `entry '${record.name}' inflates to another size than its directory says`,
    );
  }
  checkCrc(inflated, record);
  return inflated;
}

/** A checksum of 0 is one that was never computed: `torch.serialization.set_crc32_options(False)` writes such archives. */
function checkCrc(bytes: Uint8Array, record: DirectoryRecord): void {
  if (record.crc32 !== 0 && crc32(bytes) !== record.crc32) {
    throw new ModelFileError(
      "corrupt",
      `entry '${record.name}' does not match its checksum: the file is damaged`,
    );
  }
}

/** Where an entry's data lies in the source. The local header is read only to skip its name and padding. */
function dataRange(source: ByteSource, { record, end }: PlacedRecord): ByteRange {
  const header = source.read(record.headerOffset, 30);
  const view = new DataView(header.buffer, header.byteOffset, header.byteLength);
  if (view.getUint32(0, true) !== 0x04034b50) {
    throw new ModelFileError("corrupt", `entry '${record.name}' does not start where the directory says`);
  }
  const offset = record.headerOffset + 30 + view.getUint16(26, true) + view.getUint16(28, true);
  if (offset + record.compressedByteLength > end) {
    throw new ModelFileError("corrupt", `entry '${record.name}' overlaps what follows it`);
  }
  return { offset, byteLength: record.compressedByteLength };
}

function describe(record: DirectoryRecord): ZipEntry {
  return {
    name: record.name,
    byteLength: record.byteLength,
    compressedByteLength: record.compressedByteLength,
    isStored: record.method === 0,
  };
}

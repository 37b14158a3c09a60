import { ModelFileError } from "../errors.ts";
import type { DirectoryRecord, ZipDirectory } from "./zip-directory.ts";
import type { ZipLimits } from "./zip-limits.ts";

/** A file of a zip and the offset that its local header and data may not pass: the next entry, or the directory. */
export interface PlacedRecord {
  readonly record: DirectoryRecord;
  readonly end: number;
}

const LOCAL_HEADER_BYTES = 30;
/** Small entries may compress better than the limit without harm. */
const FREE_RATIO_BYTES = 64 * 2 ** 10;
/** Bit 0: encrypted; 6: strong encryption; 13: masked headers. */
const ENCRYPTED = 1 | (1 << 6) | (1 << 13);

/**
 * Checks the entries of a directory against each other and against the limits: names are relative, plain and unique, nothing overlaps,
 * nothing is encrypted or inflates without bound. Answers the files by name, in the directory's order. Throws ModelFileError.
 */
export function layOut(directory: ZipDirectory, limits: ZipLimits): ReadonlyMap<string, PlacedRecord> {
  const ends = endOffsets(directory);
  const placed = new Map<string, PlacedRecord>();
  const names = new Set<string>();
  let inflatedBytes = 0;
  for (const [index, record] of directory.records.entries()) {
    checkName(record.name);
    if (names.has(record.name)) {
      throw new ModelFileError("corrupt", `the zip has two entries named '${record.name}'`);
    }
    names.add(record.name);
    checkRecord(record, limits);
    if (record.method !== 0) inflatedBytes += record.byteLength;
    if (inflatedBytes > limits.maxInflatedBytes) {
      throw new ModelFileError(
        "limit",
        `the zip's entries inflate to more than ${limits.maxInflatedBytes} bytes together`,
      );
    }
    if (!record.name.endsWith("/")) placed.set(record.name, { record, end: ends[index]! });
  }
  return placed;
}

/** For each record the start of what follows it in the file; refuses records that overlap. */
function endOffsets({ records, offset }: ZipDirectory): readonly number[] {
  const order = records.map((_, index) => index);
  order.sort((a, b) => records[a]!.headerOffset - records[b]!.headerOffset);
  const ends = new Array<number>(records.length);
  let next = offset;
  for (let rank = order.length - 1; rank >= 0; rank -= 1) {
    const index = order[rank]!;
    const { name, headerOffset, compressedByteLength } = records[index]!;
    if (headerOffset + LOCAL_HEADER_BYTES + compressedByteLength > next) {
      throw new ModelFileError("corrupt", `entry '${name}' overlaps what follows it`);
    }
    ends[index] = next;
    next = headerOffset;
  }
  return ends;
}

function checkRecord(record: DirectoryRecord, limits: ZipLimits): void {
  const { name, method, byteLength, compressedByteLength } = record;
  if ((record.flags & ENCRYPTED) !== 0) {
    throw new ModelFileError(
      "unsupported",
      `entry '${name}' is encrypted; save the archive without a password`,
    );
  }
  if (method === 0 && byteLength !== compressedByteLength) {
    throw new ModelFileError("corrupt", `entry '${name}' is stored, but its two sizes differ`);
  }
  if (name.endsWith("/") && byteLength !== 0) {
    throw new ModelFileError("corrupt", `entry '${name}' is a folder, but it has content`);
  }
  if (byteLength > FREE_RATIO_BYTES && byteLength > compressedByteLength * limits.maxRatio) {
    throw new ModelFileError("limit", `entry '${name}' inflates more than ${limits.maxRatio} times`);
  }
}

function checkName(name: string): void {
  const path = name.endsWith("/") ? name.slice(0, -1) : name;
  const isPlain = !/[\\\0]|^[A-Za-z]:/.test(path);
  const isRelative = path.split("/").every((part) => part !== "" && part !== "." && part !== "..");
  if (!isPlain || !isRelative) {
    throw new ModelFileError("corrupt", `the zip has an entry with an unsafe name: ${JSON.stringify(name)}`);
  }
}

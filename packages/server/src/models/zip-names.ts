import type { ReadRange } from "./file-system.ts";

/** A model archive names a few thousand entries at most; a bigger directory is not read. */
const MAX_DIRECTORY_BYTES = 16 * 1024 * 1024;
const END_BYTES = 22;
const MAX_COMMENT_BYTES = 0xffff;

/**
 * Entry names of a zip's central directory (APPNOTE 4.3.12–4.3.16, zip64 included), or undefined when there is no readable one.
 * Only for telling archives apart; @sconce/torch reads them for real.
 */
export async function readZipNames(read: ReadRange, size: number): Promise<readonly string[] | undefined> {
  const tailLength = Math.min(size, END_BYTES + MAX_COMMENT_BYTES);
  const tailOffset = size - tailLength;
  const tail = Buffer.from(await read(tailOffset, tailLength));
  const end = tail.lastIndexOf("PK\x05\x06", undefined, "latin1");
  if (end < 0 || end + END_BYTES > tail.length) return undefined;
  const directory = (await locateZip64(read, tail, end)) ?? {
    length: tail.readUInt32LE(end + 12),
    offset: tail.readUInt32LE(end + 16),
  };
  if (directory.length > MAX_DIRECTORY_BYTES || directory.offset + directory.length > size) return undefined;
  return parseNames(Buffer.from(await read(directory.offset, directory.length)));
}

async function locateZip64(
  read: ReadRange,
  tail: Buffer,
  end: number,
): Promise<{ readonly length: number; readonly offset: number } | undefined> {
  if (tail.readUInt32LE(end + 16) !== 0xffffffff || end < 20) return undefined;
  if (tail.toString("latin1", end - 20, end - 16) !== "PK\x06\x07") return undefined;
  const record = Buffer.from(await read(Number(tail.readBigUInt64LE(end - 12)), 56));
  if (record.length < 56 || record.toString("latin1", 0, 4) !== "PK\x06\x06") return undefined;
  return { length: Number(record.readBigUInt64LE(40)), offset: Number(record.readBigUInt64LE(48)) };
}

function parseNames(directory: Buffer): string[] | undefined {
  const names: string[] = [];
  let at = 0;
  while (at + 46 <= directory.length && directory.readUInt32LE(at) === 0x02014b50) {
    const nameLength = directory.readUInt16LE(at + 28);
    const next = at + 46 + nameLength + directory.readUInt16LE(at + 30) + directory.readUInt16LE(at + 32);
    if (next > directory.length) return undefined;
    names.push(directory.toString("utf8", at + 46, at + 46 + nameLength));
    at = next;
  }
  return names.length > 0 ? names : undefined;
}

import { crc32 } from "./crc32.ts";

/** An entry for `buildZip`. What is not given is what an honest writer would write. */
export interface ZipPart {
  readonly name: string;
  /** As it lies in the archive: deflate it first and say so with `method: 8` and `byteLength`. */
  readonly data: Uint8Array;
  readonly method?: number;
  readonly flags?: number;
  readonly byteLength?: number;
  readonly crc32?: number;
  /** Claims about the directory record alone. */
  readonly headerOffset?: number;
  readonly compressedByteLength?: number;
  /** Starts the data at a multiple of this, by padding the local extra field, as PyTorch does. */
  readonly align?: number;
  /** Writes sizes and offset as zip64 values. */
  readonly zip64?: boolean;
}

/** How `buildZip` ends the archive. */
export interface ZipEnd {
  readonly comment?: Uint8Array;
  readonly zip64?: boolean;
  readonly count?: number;
  readonly disk?: number;
}

/** Writes a zip for tests, honest by default, with any lie that a part or the end asks for. Local sizes are 0, as PyTorch writes them. */
export function buildZip(parts: readonly ZipPart[], end: ZipEnd = {}): Uint8Array {
  const chunks: Uint8Array[] = [];
  let at = 0;
  const push = (bytes: Uint8Array): void => {
    chunks.push(bytes);
    at += bytes.byteLength;
  };
  const records: Uint8Array[] = [];
  for (const part of parts) {
    const headerOffset = at;
    const name = new TextEncoder().encode(part.name);
    const dataStart = at + 30 + name.byteLength;
    const padding = part.align === undefined ? 0 : (part.align - (dataStart % part.align)) % part.align;
    push(localHeader(part, name.byteLength, padding));
    push(name);
    push(new Uint8Array(padding));
    push(part.data);
    records.push(directoryRecord(part, name, headerOffset));
  }
  const directoryOffset = at;
  for (const record of records) push(record);
  push(endRecords({ offset: directoryOffset, byteLength: at - directoryOffset, count: records.length }, end));
  return join(chunks);
}

function localHeader(part: ZipPart, nameLength: number, padding: number): Uint8Array {
  const { bytes, view } = block(30);
  view.setUint32(0, 0x04034b50, true);
  view.setUint16(6, part.flags ?? 0x808, true);
  view.setUint16(8, part.method ?? 0, true);
  view.setUint16(26, nameLength, true);
  view.setUint16(28, padding, true);
  return bytes;
}

function directoryRecord(part: ZipPart, name: Uint8Array, headerOffset: number): Uint8Array {
  const sizes = [
    part.byteLength ?? part.data.byteLength,
    part.compressedByteLength ?? part.data.byteLength,
    part.headerOffset ?? headerOffset,
  ];
  const extra = block(part.zip64 ? 28 : 0);
  const { bytes, view } = block(46);
  view.setUint32(0, 0x02014b50, true);
  view.setUint16(8, part.flags ?? 0x808, true);
  view.setUint16(10, part.method ?? 0, true);
  view.setUint32(16, part.crc32 ?? crc32(part.data), true);
  for (const [index, at] of [24, 20, 42].entries()) {
    view.setUint32(at, part.zip64 ? 0xffffffff : sizes[index]!, true);
    if (part.zip64) extra.view.setBigUint64(4 + index * 8, BigInt(sizes[index]!), true);
  }
  if (part.zip64) {
    extra.view.setUint16(0, 1, true);
    extra.view.setUint16(2, 24, true);
  }
  view.setUint16(28, name.byteLength, true);
  view.setUint16(30, extra.bytes.byteLength, true);
  return join([bytes, name, extra.bytes]);
}

interface Directory {
  readonly offset: number;
  readonly byteLength: number;
  readonly count: number;
}

function endRecords(directory: Directory, end: ZipEnd): Uint8Array {
  const { bytes, view } = block(22);
  const count = end.count ?? directory.count;
  view.setUint32(0, 0x06054b50, true);
  view.setUint16(4, end.disk ?? 0, true);
  view.setUint16(8, end.zip64 ? 0xffff : count, true);
  view.setUint16(10, end.zip64 ? 0xffff : count, true);
  view.setUint32(12, end.zip64 ? 0xffffffff : directory.byteLength, true);
  view.setUint32(16, end.zip64 ? 0xffffffff : directory.offset, true);
  view.setUint16(20, end.comment?.byteLength ?? 0, true);
  const tail = join([bytes, end.comment ?? new Uint8Array()]);
  return end.zip64 ? join([zip64End(directory, count), tail]) : tail;
}

function zip64End(directory: Directory, count: number): Uint8Array {
  const { bytes, view } = block(56 + 20);
  view.setUint32(0, 0x06064b50, true);
  view.setBigUint64(4, 44n, true);
  view.setBigUint64(24, BigInt(count), true);
  view.setBigUint64(32, BigInt(count), true);
  view.setBigUint64(40, BigInt(directory.byteLength), true);
  view.setBigUint64(48, BigInt(directory.offset), true);
  view.setUint32(56, 0x07064b50, true);
  view.setBigUint64(64, BigInt(directory.offset + directory.byteLength), true);
  view.setUint32(72, 1, true);
  return bytes;
}

function block(length: number): { bytes: Uint8Array; view: DataView } {
  const bytes = new Uint8Array(length);
  return { bytes, view: new DataView(bytes.buffer) };
}

function join(chunks: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0));
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.byteLength;
  }
  return bytes;
}

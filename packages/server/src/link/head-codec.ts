import { linkError } from "./link-methods.ts";

/** A head of a link's frame: numbers, a layout that may be spelled out, and what is rarely said, as JSON. */
export interface Head {
  /** 64-bit. */
  readonly numbers: readonly number[];
  /** 32-bit, not negative. */
  readonly counts: readonly number[];
  /** How long each tensor is, in bytes. */
  readonly lengths: readonly number[];
  /** Empty: it is known by its number. */
  readonly layout: string;
  /** Empty: nothing. */
  readonly more: string;
}

const U32 = 4;
const F64 = 8;

/** How many numbers and counts heads of one kind have. */
export interface HeadSizes {
  readonly numbers: number;
  readonly counts: number;
}

/** Numbers, counts, then the three sizes, the lengths, and the two texts. */
export function encodeHead({ numbers, counts, lengths, layout, more }: Head): Uint8Array {
  const layoutBytes = layout === "" ? 0 : Buffer.byteLength(layout);
  const moreBytes = more === "" ? 0 : Buffer.byteLength(more);
  const fixed = numbers.length * F64 + (counts.length + 3 + lengths.length) * U32;
  const bytes = Buffer.allocUnsafe(fixed + layoutBytes + moreBytes);
  let at = 0;
  for (let i = 0; i < numbers.length; i++) at = bytes.writeDoubleLE(numbers[i]!, at);
  for (let i = 0; i < counts.length; i++) at = bytes.writeUInt32LE(counts[i]!, at);
  at = bytes.writeUInt32LE(lengths.length, at);
  at = bytes.writeUInt32LE(layoutBytes, at);
  at = bytes.writeUInt32LE(moreBytes, at);
  for (let i = 0; i < lengths.length; i++) at = bytes.writeUInt32LE(lengths[i]!, at);
  if (layoutBytes > 0) at += bytes.write(layout, at);
  if (moreBytes > 0) bytes.write(more, at);
  return bytes;
}

/** Throws ServeError `internal`/`worker_protocol` for bytes that are no such head. */
export function decodeHead(header: Uint8Array, sizes: HeadSizes): Head {
  const bytes = Buffer.from(header.buffer, header.byteOffset, header.byteLength);
  const fixed = sizes.numbers * F64 + (sizes.counts + 3) * U32;
  if (bytes.length < fixed) throw linkError("a head is too short");
  const numbers: number[] = [];
  const counts: number[] = [];
  let at = 0;
  for (let i = 0; i < sizes.numbers; i++, at += F64) numbers.push(bytes.readDoubleLE(at));
  for (let i = 0; i < sizes.counts; i++, at += U32) counts.push(bytes.readUInt32LE(at));
  const lengthCount = bytes.readUInt32LE(at);
  const layoutBytes = bytes.readUInt32LE(at + U32);
  const moreBytes = bytes.readUInt32LE(at + 2 * U32);
  at = fixed;
  if (bytes.length !== fixed + lengthCount * U32 + layoutBytes + moreBytes)
    throw linkError("a head is not as long as it says");
  const lengths: number[] = [];
  for (let i = 0; i < lengthCount; i++, at += U32) lengths.push(bytes.readUInt32LE(at));
  const layout = layoutBytes === 0 ? "" : bytes.toString("utf8", at, at + layoutBytes);
  const more = moreBytes === 0 ? "" : bytes.toString("utf8", at + layoutBytes);
  return { numbers, counts, lengths, layout, more };
}

/** Views on a payload, one after the other. */
export function cutPayload(payload: Uint8Array, lengths: readonly number[]): Uint8Array[] {
  const parts: Uint8Array[] = [];
  let at = 0;
  for (let i = 0; i < lengths.length; i++) {
    parts.push(payload.subarray(at, at + lengths[i]!));
    at += lengths[i]!;
  }
  if (at !== payload.length) throw linkError("a payload is not as long as its tensors");
  return parts;
}

import { PREFIX_BYTES } from "./message-decoder.ts";

/** Below this grpc-js may copy a message behind its prefix; it is a matter of microseconds. */
const LARGE_BYTES = 256 * 1024;

/** Blocks that have room for the prefix in front of them. */
const roomy = new WeakSet<Uint8Array>();

/** Memory for a message; that of a large one is part of its frame already. */
export function messageBlock(size: number): Uint8Array {
  if (size < LARGE_BYTES) return Buffer.allocUnsafe(size);
  const block = Buffer.allocUnsafeSlow(PREFIX_BYTES + size).subarray(PREFIX_BYTES);
  roomy.add(block);
  return block;
}

/** The frame of a message that fills a large block, without a copy; undefined for all others. */
export function frameInPlace(message: Uint8Array): Buffer | undefined {
  if (message.length < LARGE_BYTES || !roomy.has(message)) return undefined;
  const frame = Buffer.from(message.buffer, message.byteOffset - PREFIX_BYTES, PREFIX_BYTES + message.length);
  frame[0] = 0;
  frame.writeUInt32BE(message.length, 1);
  return frame;
}

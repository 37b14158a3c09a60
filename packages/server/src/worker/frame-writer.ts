import type { Writable } from "node:stream";
import { align8, PREFIX_BYTES, writeFrameHead } from "./frame.ts";

/** Up to here one copy is cheaper than handing the kernel several pieces. */
const COALESCE_BYTES = 16 * 1024;
const PADDING = new Uint8Array(8);

export interface OutgoingFrame {
  readonly kind: number;
  readonly method: number;
  readonly id: number;
  readonly header: Uint8Array;
  /** The payload in pieces, written one after another. They must stay unchanged until the peer answered. */
  readonly chunks: readonly Uint8Array[];
}

export const NO_BYTES: Uint8Array = new Uint8Array(0);
export const NO_CHUNKS: readonly Uint8Array[] = [];

/** Writes one frame: small ones as one buffer, large ones as head and pieces in a single gathered write. */
export function writeFrame(stream: Writable, frame: OutgoingFrame): void {
  const { chunks, header } = frame;
  let payloadBytes = 0;
  for (let i = 0; i < chunks.length; i++) payloadBytes += chunks[i]!.byteLength;
  const headBytes = PREFIX_BYTES + align8(header.byteLength);
  const head = { kind: frame.kind, method: frame.method, id: frame.id, header, payloadBytes };
  if (payloadBytes <= COALESCE_BYTES) {
    stream.write(gather(headBytes + align8(payloadBytes), head, chunks));
    return;
  }
  const bytes = Buffer.allocUnsafe(headBytes);
  writeFrameHead(bytes, head);
  stream.cork();
  stream.write(bytes);
  for (let i = 0; i < chunks.length; i++) stream.write(chunks[i]!);
  const padding = align8(payloadBytes) - payloadBytes;
  if (padding > 0) stream.write(PADDING.subarray(0, padding));
  stream.uncork();
}

function gather(
  total: number,
  head: Parameters<typeof writeFrameHead>[1],
  chunks: readonly Uint8Array[],
): Uint8Array {
  const bytes = Buffer.allocUnsafe(total);
  let at = writeFrameHead(bytes, head);
  for (let i = 0; i < chunks.length; i++) {
    bytes.set(chunks[i]!, at);
    at += chunks[i]!.byteLength;
  }
  bytes.fill(0, at);
  return bytes;
}

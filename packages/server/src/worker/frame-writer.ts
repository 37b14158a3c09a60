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

/** Writes one frame with one system call. */
export function writeFrame(stream: Writable, frame: OutgoingFrame): void {
  const pieces = packFrame(frame, Buffer.allocUnsafe);
  if (pieces.length === 1) {
    stream.write(pieces[0]!);
    return;
  }
  stream.cork();
  for (let i = 0; i < pieces.length; i++) stream.write(pieces[i]!);
  stream.uncork();
}

/**
 * A frame as bytes: a small one as one piece, a large one as its head, its own chunks and padding. `allocate` gives room for what has to
 * be put together; its content does not matter.
 */
export function packFrame(frame: OutgoingFrame, allocate: (bytes: number) => Uint8Array): Uint8Array[] {
  const { chunks, header } = frame;
  let payloadBytes = 0;
  for (let i = 0; i < chunks.length; i++) payloadBytes += chunks[i]!.byteLength;
  const headBytes = PREFIX_BYTES + align8(header.byteLength);
  const head = { kind: frame.kind, method: frame.method, id: frame.id, header, payloadBytes };
  const isSmall = payloadBytes <= COALESCE_BYTES;
  const bytes = allocate(isSmall ? headBytes + align8(payloadBytes) : headBytes);
  writeFrameHead(bytes, head);
  if (isSmall) {
    let at = headBytes;
    for (let i = 0; i < chunks.length; i++) {
      bytes.set(chunks[i]!, at);
      at += chunks[i]!.byteLength;
    }
    bytes.fill(0, at);
    return [bytes];
  }
  const padding = align8(payloadBytes) - payloadBytes;
  return padding > 0 ? [bytes, ...chunks, PADDING.subarray(0, padding)] : [bytes, ...chunks];
}

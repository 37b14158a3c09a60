import { ServeError } from "../base/errors.ts";

/**
 * What travels between the server process and a worker. A frame is a fixed prefix, a small header and a payload:
 *
 *     0  u32  magic                    12  u32  header bytes
 *     4  u8   kind                     16  u32  payload bytes, low half
 *     5  u8   method                   20  u32  payload bytes, high half
 *     6  u16  zero                     24       header, zero-padded to 8, then payload, zero-padded to 8
 *     8  u32  call id
 *
 * All numbers are little-endian. The padding keeps every payload 8-byte aligned inside the block it is read into, so that a tensor is a
 * typed-array view and never a copy. What header and payload mean is the business of the runtime.
 */
export const PREFIX_BYTES = 24;
const MAGIC = 0x314e4353;

/**
 * `hello` the worker is up; `call` asks; `result` and `error` settle a call; `note` tells something about a call in progress: to a worker,
 * that nobody wants its result any more.
 */
export const FRAME_KINDS = { hello: 1, call: 2, result: 3, error: 4, note: 5 } as const;
const LAST_KIND = 5;

export interface Frame {
  readonly kind: number;
  /** What a call asks for; the runtime's numbers. */
  readonly method: number;
  readonly id: number;
  /** View on a received block that belongs to the receiver. */
  readonly header: Uint8Array;
  /** View on the same block, 8-byte aligned in its buffer. */
  readonly payload: Uint8Array;
}

/** What a reader accepts; a frame that announces more ends the connection before anything is allocated. */
export interface FrameLimits {
  readonly maxHeaderBytes: number;
  readonly maxPayloadBytes: number;
}

export const DEFAULT_FRAME_LIMITS: FrameLimits = {
  maxHeaderBytes: 16 * 1024 * 1024,
  maxPayloadBytes: 2 * 1024 * 1024 * 1024,
};

/** The sizes a prefix announces. */
export interface FramePrefix {
  readonly kind: number;
  readonly method: number;
  readonly id: number;
  readonly headerBytes: number;
  readonly payloadBytes: number;
}

/** `length` rounded up to a multiple of 8. */
export function align8(length: number): number {
  const rest = length % 8;
  return rest === 0 ? length : length + 8 - rest;
}

/** Bytes that a frame takes on the wire, padding included. */
export function frameBytes(prefix: FramePrefix): number {
  return PREFIX_BYTES + align8(prefix.headerBytes) + align8(prefix.payloadBytes);
}

/** Prefix and padded header at `at` in `target`; returns the offset where the payload begins. */
export function writeFrameHead(
  target: Uint8Array,
  frame: Omit<FramePrefix, "headerBytes"> & { readonly header: Uint8Array },
): number {
  const view = new DataView(target.buffer, target.byteOffset, target.byteLength);
  const headerBytes = frame.header.byteLength;
  view.setUint32(0, MAGIC, true);
  view.setUint32(4, frame.kind | (frame.method << 8), true);
  view.setUint32(8, frame.id, true);
  view.setUint32(12, headerBytes, true);
  view.setUint32(16, frame.payloadBytes % 2 ** 32, true);
  view.setUint32(20, Math.floor(frame.payloadBytes / 2 ** 32), true);
  target.set(frame.header, PREFIX_BYTES);
  const end = PREFIX_BYTES + headerBytes;
  const padded = align8(end);
  target.fill(0, end, padded);
  return padded;
}

/** Reads and checks the prefix at `at`. Throws ServeError `internal`/`worker_protocol` when it is none, or past the limits. */
export function readFramePrefix(block: Uint8Array, at: number, limits: FrameLimits): FramePrefix {
  const view = new DataView(block.buffer, block.byteOffset + at, PREFIX_BYTES);
  const kind = view.getUint8(4);
  if (view.getUint32(0, true) !== MAGIC || view.getUint16(6, true) !== 0 || kind < 1 || kind > LAST_KIND) {
    throw protocolError("a frame does not begin like one");
  }
  const headerBytes = view.getUint32(12, true);
  const payloadBytes = view.getUint32(16, true) + view.getUint32(20, true) * 2 ** 32;
  if (headerBytes > limits.maxHeaderBytes) {
    throw protocolError(
      `a frame announces a header of ${headerBytes} bytes; ${limits.maxHeaderBytes} are allowed`,
    );
  }
  if (payloadBytes > limits.maxPayloadBytes) {
    throw protocolError(`a frame announces ${payloadBytes} bytes; ${limits.maxPayloadBytes} are allowed`);
  }
  return { kind, method: view.getUint8(5), id: view.getUint32(8, true), headerBytes, payloadBytes };
}

/** The frame of a prefix that was read at `at`, as views on a block that holds all of it. */
export function frameAt(block: Uint8Array, at: number, prefix: FramePrefix): Frame {
  const headerAt = at + PREFIX_BYTES;
  const payloadAt = headerAt + align8(prefix.headerBytes);
  return {
    kind: prefix.kind,
    method: prefix.method,
    id: prefix.id,
    header: block.subarray(headerAt, headerAt + prefix.headerBytes),
    payload: block.subarray(payloadAt, payloadAt + prefix.payloadBytes),
  };
}

/** Uninitialised memory as a plain Uint8Array: frames are views on it, and a Buffer's `slice` would not copy. */
export function newBlock(length: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.allocUnsafeSlow(length).buffer);
}

/** The peer broke the protocol: the connection cannot be used any further. */
export function protocolError(message: string): ServeError {
  return new ServeError("internal", `the worker broke the protocol: ${message}`, {
    reason: "worker_protocol",
  });
}

import type { Copy, Target } from "@sconce/protocol/grpc";
import { ServeError } from "../../base/errors.ts";
import { PREFIX_BYTES } from "./message-decoder.ts";

/** Larger blocks get memory of their own, not a part of the one that Node keeps for small ones. */
const POOLED_BYTES = 4096;

/** A response's message in gRPC's frame, written in place: the encoder gets the part behind the prefix. */
export class ResponseFrame implements Target {
  readonly later: Copy[] = [];
  readonly #maxBytes: number;
  #frame: Buffer | undefined;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Throws `resource_exhausted`/`response_too_large`. */
  allocate(size: number): Uint8Array {
    checkSize(size, this.#maxBytes);
    this.#frame = emptyFrame(size);
    return this.#frame.subarray(PREFIX_BYTES);
  }

  /** Prefix and message, for the connection. Nothing may be written into it afterwards. */
  get bytes(): Buffer {
    return this.#frame ?? emptyFrame(0);
  }
}

/** A copy of a message in its frame. */
export function frameOf(message: Uint8Array): Buffer {
  const frame = emptyFrame(message.length);
  frame.set(message, PREFIX_BYTES);
  return frame;
}

function emptyFrame(size: number): Buffer {
  const length = PREFIX_BYTES + size;
  const frame = length < POOLED_BYTES ? Buffer.allocUnsafe(length) : Buffer.allocUnsafeSlow(length);
  frame[0] = 0;
  frame.writeUInt32BE(size, 1);
  return frame;
}

function checkSize(size: number, maxBytes: number): void {
  if (size <= maxBytes) return;
  throw new ServeError(
    "resource_exhausted",
    `the response of ${size} bytes is larger than ${maxBytes} bytes, the most that one message may have (--max-body)`,
    { reason: "response_too_large" },
  );
}

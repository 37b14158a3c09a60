import { readSync, writeSync, writevSync } from "node:fs";
import { faultCode } from "../base/file-fault.ts";
import { BlockingFrameReader } from "./blocking-frame-reader.ts";
import { DEFAULT_FRAME_LIMITS, type Frame } from "./frame.ts";
import { type OutgoingFrame, packFrame } from "./frame-writer.ts";

/** Between tries, where a descriptor does not block though it should. */
const RETRY_MS = 1;
/** Room to put small frames together; what is sent is the kernel's before the next one is. */
const SCRATCH_BYTES = 64 * 1024;

/**
 * A connection over a descriptor that blocks: whoever waits for a frame sleeps in the kernel, and is woken by the frame itself instead of
 * by an event loop that then goes to fetch it. For a process that has nothing else to do.
 */
export class DescriptorChannel {
  readonly #fd: number;
  readonly #reader: BlockingFrameReader;
  readonly #scratch = new Uint8Array(SCRATCH_BYTES);

  constructor(fd: number) {
    this.#fd = fd;
    this.#reader = new BlockingFrameReader(DEFAULT_FRAME_LIMITS, (target, from, length) =>
      insist(() => readSync(fd, target, from, length, null)),
    );
  }

  /** Waits for a frame, valid until the next call; undefined: the peer is gone or has closed. Throws `worker_protocol`. */
  receive(): Frame | undefined {
    return this.#reader.next();
  }

  /** Returns when the kernel has all of it; false: the peer is gone. */
  send(frame: OutgoingFrame): boolean {
    const pieces = packFrame(frame, this.#allocate);
    return pieces.length === 1 ? this.#write(pieces[0]!) : this.#writeAll(pieces);
  }

  readonly #allocate = (bytes: number): Uint8Array =>
    bytes <= SCRATCH_BYTES ? this.#scratch.subarray(0, bytes) : new Uint8Array(bytes);

  #write(bytes: Uint8Array): boolean {
    let from = 0;
    while (from < bytes.byteLength) {
      const count = insist(() => writeSync(this.#fd, bytes, from, bytes.byteLength - from));
      if (count === 0) return false;
      from += count;
    }
    return true;
  }

  #writeAll(pieces: readonly Uint8Array[]): boolean {
    let written = insist(() => writevSync(this.#fd, pieces));
    if (written === 0) return false;
    for (const piece of pieces) {
      // Usually all went at once.
      const done = Math.min(written, piece.byteLength);
      written -= done;
      if (done < piece.byteLength && !this.#write(piece.subarray(done))) return false;
    }
    return true;
  }
}

/** What a read or write gives, once it gives something; 0: the peer is gone. */
function insist(attempt: () => number): number {
  for (;;) {
    try {
      return attempt();
    } catch (error) {
      const code = faultCode(error);
      if (code === "EPIPE" || code === "ECONNRESET") return 0;
      if (code !== "EAGAIN") throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_MS);
    }
  }
}

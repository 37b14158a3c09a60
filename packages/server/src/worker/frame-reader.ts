import {
  type Frame,
  type FrameLimits,
  type FramePrefix,
  frameAt,
  frameBytes,
  newBlock,
  PREFIX_BYTES,
  readFramePrefix,
} from "./frame.ts";

/** Small frames share a slab; larger ones get a block of exactly their size. */
const SLAB_BYTES = 64 * 1024;
/** Less free space than this makes reads short, so the next slab is due. */
const MIN_SPACE_BYTES = 4 * 1024;

/**
 * Cuts a byte stream into frames. Bytes are received straight into the block where their frame will stay: the caller reads into
 * `space()` and reports with `advance(count)`. A frame is always contiguous, and is never copied as a whole: only the part of a large
 * frame that arrived before its length was known moves, once.
 */
export class FrameReader {
  readonly #limits: FrameLimits;
  readonly #onFrame: (frame: Frame) => void;
  #block: Uint8Array = newBlock(SLAB_BYTES);
  /** Where the frame being received begins, and where the received bytes end. */
  #from = 0;
  #to = 0;
  #prefix: FramePrefix | undefined;

  constructor(limits: FrameLimits, onFrame: (frame: Frame) => void) {
    this.#limits = limits;
    this.#onFrame = onFrame;
  }

  /** Where the next bytes belong; never empty. Valid until the next call of `advance` or `push`. */
  space(): Uint8Array {
    return this.#block.subarray(this.#to);
  }

  /** `count` bytes of `space()` were filled. Throws ServeError `internal`/`worker_protocol` on a malformed frame. */
  advance(count: number): void {
    this.#to += count;
    for (;;) {
      const received = this.#to - this.#from;
      if (this.#prefix === undefined) {
        if (received < PREFIX_BYTES) break;
        this.#prefix = readFramePrefix(this.#block, this.#from, this.#limits);
      }
      const total = frameBytes(this.#prefix);
      if (received < total) break;
      const frame = frameAt(this.#block, this.#from, this.#prefix);
      this.#from += total;
      this.#prefix = undefined;
      this.#onFrame(frame);
    }
    this.#makeSpace();
  }

  /** Takes bytes that were received elsewhere, by copying them. */
  push(bytes: Uint8Array): void {
    let done = 0;
    while (done < bytes.byteLength) {
      const space = this.space();
      const count = Math.min(space.byteLength, bytes.byteLength - done);
      space.set(count === bytes.byteLength ? bytes : bytes.subarray(done, done + count));
      this.advance(count);
      done += count;
    }
  }

  /** Moves to a new block when the current one cannot hold the frame being received, or has too little room left to read well. */
  #makeSpace(): void {
    const needed = this.#prefix === undefined ? PREFIX_BYTES : frameBytes(this.#prefix);
    const room = this.#block.byteLength - this.#from;
    const isTight = this.#prefix === undefined && this.#block.byteLength - this.#to < MIN_SPACE_BYTES;
    if (room >= needed && !isTight) return;
    const next = newBlock(Math.max(SLAB_BYTES, needed));
    next.set(this.#block.subarray(this.#from, this.#to));
    this.#block = next;
    this.#to -= this.#from;
    this.#from = 0;
  }
}

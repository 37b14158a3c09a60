import {
  type Frame,
  type FrameLimits,
  frameAt,
  frameBytes,
  newBlock,
  PREFIX_BYTES,
  readFramePrefix,
} from "./frame.ts";

/** Small frames are read with whatever else is there; of a larger one, no byte beyond its end. */
const SMALL_BYTES = 64 * 1024;
/** A block larger than this is given back after its frame. */
const MOST_KEPT_BYTES = 16 * 1024 * 1024;

/** Reads into `target` from `from` on, waits for the first byte, and returns how many came; 0: there will be none any more. */
export type BlockingRead = (target: Uint8Array, from: number, length: number) => number;

/**
 * Cuts a byte stream into frames for a reader that works on one frame at a time: all are received into one block, which is used again and
 * again. A frame is contiguous, and valid until the next is asked for.
 */
export class BlockingFrameReader {
  readonly #read: BlockingRead;
  readonly #limits: FrameLimits;
  #block = newBlock(SMALL_BYTES);
  /** Where the next frame begins, and where the received bytes end. */
  #from = 0;
  #to = 0;

  constructor(limits: FrameLimits, read: BlockingRead) {
    this.#limits = limits;
    this.#read = read;
  }

  /** Waits for a frame; undefined: the stream has ended. Throws ServeError `internal`/`worker_protocol` on a malformed one. */
  next(): Frame | undefined {
    this.#makeReady();
    if (!this.#fill(PREFIX_BYTES)) return undefined;
    const prefix = readFramePrefix(this.#block, this.#from, this.#limits);
    if (!this.#fill(frameBytes(prefix))) return undefined;
    const frame = frameAt(this.#block, this.#from, prefix);
    this.#from += frameBytes(prefix);
    return frame;
  }

  /** The frames before are done with: begins at the front of the block, as far as it can. */
  #makeReady(): void {
    if (this.#from < this.#to) return;
    this.#from = 0;
    this.#to = 0;
    if (this.#block.byteLength > MOST_KEPT_BYTES) this.#block = newBlock(SMALL_BYTES);
  }

  /** Receives until `total` bytes of the frame are there. */
  #fill(total: number): boolean {
    if (this.#to - this.#from >= total) return true;
    if (this.#from + total > this.#block.byteLength) this.#moveToFront(total);
    const end = this.#from + total;
    while (this.#to < end) {
      const length = total <= SMALL_BYTES ? this.#block.byteLength - this.#to : end - this.#to;
      const count = this.#read(this.#block, this.#to, length);
      if (count === 0) return false;
      this.#to += count;
    }
    return true;
  }

  #moveToFront(total: number): void {
    const block = total > this.#block.byteLength ? newBlock(total) : this.#block;
    block.set(this.#block.subarray(this.#from, this.#to));
    this.#block = block;
    this.#to -= this.#from;
    this.#from = 0;
  }
}

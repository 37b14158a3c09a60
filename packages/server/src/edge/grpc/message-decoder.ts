import { ServeError } from "../../base/errors.ts";

/** Compression flag and length. */
export const PREFIX_BYTES = 5;
const FIRST_BLOCK_BYTES = 64 * 1024;
/** Who has sent this much of a message gets memory for all of it. */
const COMMIT_BYTES = 1024 * 1024;

/**
 * Cuts a call's bytes into length-prefixed messages. To keep all pieces of a message and join them when the last one is here would stop the
 * event loop for a tenth of a second for one of 64 MiB. Here each piece goes to its place as it comes, and a message that came in one
 * piece is not copied at all.
 */
export class MessageDecoder {
  readonly #maxBytes: number;
  /** The beginning of a message, prefix included; undefined: none has begun. */
  #block: Buffer | undefined;
  #filled = 0;
  /** Bytes of the message, prefix included; the prefix alone while that is not complete. */
  #total = PREFIX_BYTES;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** A message has begun and is not complete. */
  get isInside(): boolean {
    return this.#block !== undefined;
  }

  /** The messages that are complete now, with their prefixes. Throws `resource_exhausted`/`body_too_large` when one announces too many bytes. */
  write(data: Buffer): Buffer[] {
    const messages: Buffer[] = [];
    let at = 0;
    while (at < data.length) {
      const total = this.#block === undefined ? this.#totalAt(data, at) : Number.POSITIVE_INFINITY;
      if (data.length - at >= total) {
        messages.push(data.subarray(at, at + total));
        at += total;
        continue;
      }
      at += this.#take(data, at);
      if (this.#filled < this.#total) continue;
      if (this.#total === PREFIX_BYTES) this.#total = this.#totalAt(this.#block!, 0);
      if (this.#filled < this.#total) continue;
      messages.push(this.#block!.subarray(0, this.#total));
      this.#block = undefined;
      this.#filled = 0;
      this.#total = PREFIX_BYTES;
    }
    return messages;
  }

  /** The size of the message whose prefix is at `at`; Infinity when the prefix is not complete. */
  #totalAt(bytes: Buffer, at: number): number {
    if (bytes.length - at < PREFIX_BYTES) return Number.POSITIVE_INFINITY;
    const size = bytes.readUInt32BE(at + 1);
    if (size > this.#maxBytes) throw tooLarge(size, this.#maxBytes);
    return PREFIX_BYTES + size;
  }

  #take(data: Buffer, at: number): number {
    const count = Math.min(data.length - at, this.#total - this.#filled);
    const needed = this.#filled + count;
    if (this.#block === undefined || needed > this.#block.length) this.#grow(needed);
    data.copy(this.#block!, this.#filled, at, at + count);
    this.#filled = needed;
    return count;
  }

  #grow(needed: number): void {
    const size = needed < COMMIT_BYTES ? Math.max(FIRST_BLOCK_BYTES, 4 * needed) : this.#total;
    const isPrefix = this.#total === PREFIX_BYTES;
    const grown = Buffer.allocUnsafeSlow(isPrefix ? PREFIX_BYTES : Math.min(size, this.#total));
    this.#block?.copy(grown, 0, 0, this.#filled);
    this.#block = grown;
  }
}

function tooLarge(size: number, maxBytes: number): ServeError {
  return new ServeError(
    "resource_exhausted",
    `the message of ${size} bytes is larger than ${maxBytes} bytes, the most this server accepts (--max-body)`,
    { reason: "body_too_large" },
  );
}

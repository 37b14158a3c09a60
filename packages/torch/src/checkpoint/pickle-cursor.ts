import type { ByteSource } from "../byte-source.ts";
import { ModelFileError } from "../errors.ts";

const WINDOW_BYTES = 64 * 2 ** 10;
const NEWLINE = 10;

/** Reads a pickle's bytes forward through a window, so that a pickle at the head of a large file is not read whole. */
export class PickleCursor {
  readonly #source: ByteSource;
  readonly #end: number;
  #window: Uint8Array = new Uint8Array();
  #windowOffset: number;
  #at = 0;

  /** Reads from `offset`, at most `maxBytes`: going past them is ModelFileError("limit"), past the source "corrupt". */
  constructor(source: ByteSource, offset: number, maxBytes: number) {
    this.#source = source;
    this.#windowOffset = offset;
    this.#end = Math.min(source.byteLength, offset + maxBytes);
  }

  /** Offset of the next byte in the source. */
  get offset(): number {
    return this.#windowOffset + this.#at;
  }

  byte(): number {
    if (this.#at === this.#window.byteLength) this.#fill(1);
    const byte = this.#window[this.#at]!;
    this.#at += 1;
    return byte;
  }

  /** The next `length` bytes: a view, not to be kept when it is large and the rest is not needed. */
  bytes(length: number): Uint8Array {
    if (length > this.#window.byteLength - this.#at) this.#fill(length);
    this.#at += length;
    return this.#window.subarray(this.#at - length, this.#at);
  }

  /** An unsigned little-endian number of 1 to 8 bytes. */
  uint(width: number): number {
    let value = 0;
    let scale = 1;
    for (const byte of this.bytes(width)) {
      value += byte * scale;
      scale *= 256;
    }
    if (!Number.isSafeInteger(value))
      throw new ModelFileError("corrupt", "a length in the pickle is out of range");
    return value;
  }

  int32(): number {
    return this.uint(4) | 0;
  }

  /** A big-endian double, as BINFLOAT has it. */
  double(): number {
    const bytes = this.bytes(8);
    return new DataView(bytes.buffer, bytes.byteOffset, 8).getFloat64(0);
  }

  /** A line of at most `maxLength` bytes as text, without its newline. */
  line(maxLength: number): string {
    for (let length = 0; length <= maxLength; length += 1) {
      if (this.#at + length >= this.#window.byteLength) this.#fill(length + 1);
      if (this.#window[this.#at + length] !== NEWLINE) continue;
      return decodeText(this.bytes(length + 1).subarray(0, length));
    }
    throw new ModelFileError("limit", `a line of the pickle is longer than ${maxLength} bytes`);
  }

  /** Moves the window so that it starts here and holds `needed` bytes. */
  #fill(needed: number): void {
    const offset = this.offset;
    if (needed > this.#end - offset) {
      throw this.#end === this.#source.byteLength
        ? new ModelFileError("corrupt", "the pickle is cut off")
        : new ModelFileError("limit", "the pickle is too large");
    }
    this.#window = this.#source.read(offset, Math.min(this.#end - offset, Math.max(needed, WINDOW_BYTES)));
    this.#windowOffset = offset;
    this.#at = 0;
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** UTF-8 where it is valid, else Latin-1: Python 2 wrote byte strings without saying their encoding. */
export function decodeText(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch {
    // Python's own fallback for such pickles (`encoding="latin1"`).
    let text = "";
    for (const byte of bytes) text += String.fromCharCode(byte);
    return text;
  }
}

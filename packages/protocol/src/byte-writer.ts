/** Bytes being written front to back. `view` and `bytes` cover the same memory; both change when it grows. */
export class ByteWriter {
  bytes: Uint8Array;
  /** Where the next byte goes. */
  at = 0;
  readonly #allocate: (size: number) => Uint8Array;

  /** `allocate` may hand out memory with old contents: only what was written is ever returned. */
  constructor(capacity: number, allocate: (size: number) => Uint8Array = (size) => new Uint8Array(size)) {
    this.#allocate = allocate;
    this.bytes = allocate(capacity);
  }

  /** Makes room for `size` more bytes. */
  reserve(size: number): void {
    const needed = this.at + size;
    if (needed <= this.bytes.length) return;
    const grown = this.#allocate(Math.max(needed, this.bytes.length * 2));
    grown.set(this.bytes.subarray(0, this.at));
    this.bytes = grown;
  }

  byte(value: number): void {
    this.reserve(1);
    this.bytes[this.at++] = value;
  }

  /** ASCII text; other characters are a caller's mistake and come out as their low byte. */
  ascii(text: string): void {
    this.reserve(text.length);
    const { bytes } = this;
    let at = this.at;
    for (let i = 0; i < text.length; i++) bytes[at++] = text.charCodeAt(i);
    this.at = at;
  }

  raw(source: Uint8Array): void {
    this.reserve(source.length);
    this.bytes.set(source, this.at);
    this.at += source.length;
  }

  /** A little-endian uint32. */
  uint32(value: number): void {
    this.reserve(4);
    this.setUint32(this.at, value);
    this.at += 4;
  }

  /** Overwrites four bytes that were written before. */
  setUint32(at: number, value: number): void {
    this.bytes[at] = value;
    this.bytes[at + 1] = value >>> 8;
    this.bytes[at + 2] = value >>> 16;
    this.bytes[at + 3] = value >>> 24;
  }

  /** What was written, as a view. The writer must not be used afterwards. */
  finish(): Uint8Array {
    return this.bytes.subarray(0, this.at);
  }
}

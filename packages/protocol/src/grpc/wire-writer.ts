const encoder = new TextEncoder();

/** Bytes of `value` as a varint; `value` is a non-negative safe integer. */
export function varintSize(value: number): number {
  let size = 1;
  let rest = value;
  while (rest >= 0x80) {
    rest = Math.floor(rest / 0x80);
    size++;
  }
  return size;
}

/** Bytes of a length-delimited field with a one-byte tag: tag, length, contents. */
export function fieldSize(contentBytes: number): number {
  return 1 + varintSize(contentBytes) + contentBytes;
}

/** Bytes of `text` in UTF-8. */
export function textSize(text: string): number {
  let size = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) continue;
    if (unit < 0x800) size++;
    else {
      size += 2;
      // A surrogate pair is two units and four bytes; a lone one becomes U+FFFD, three bytes.
      if (unit >= 0xd800 && unit < 0xdc00 && isLowSurrogate(text.charCodeAt(i + 1))) i++;
    }
  }
  return size;
}

/** Bytes of a string field; none when it is empty, as proto3 has it. */
export function textFieldSize(text: string): number {
  const size = textSize(text);
  return size === 0 ? 0 : fieldSize(size);
}

function isLowSurrogate(unit: number): boolean {
  return unit >= 0xdc00 && unit < 0xe000;
}

/** Bytes that are still to be copied to their place in a message. */
export interface Copy {
  readonly at: number;
  readonly contents: Uint8Array;
}

/** Where an encoder gets the memory for its message. */
export interface Target {
  /** May hold old contents: every byte is written. */
  allocate(size: number): Uint8Array;
  /** Large contents are noted here, for the caller to copy before the message is used. Default: they are copied at once. */
  readonly later?: Copy[];
}

export const NEW_BLOCKS: Target = { allocate: (size) => new Uint8Array(size) };

/** Contents worth a pause before and after. */
const LARGE_BYTES = 256 * 1024;

/** Writes protobuf into a block of the size computed beforehand. Field tags must fit one byte (numbers 1–15). */
export class WireWriter {
  readonly bytes: Uint8Array;
  readonly #later: Copy[] | undefined;
  pos = 0;

  constructor(size: number, target: Target) {
    this.bytes = target.allocate(size);
    this.#later = target.later;
  }

  byte(value: number): void {
    this.bytes[this.pos++] = value;
  }

  /** A non-negative safe integer. */
  varint(value: number): void {
    let rest = value;
    while (rest >= 0x80) {
      this.bytes[this.pos++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.bytes[this.pos++] = rest;
  }

  /** Any 64-bit integer, negative ones in two's complement. */
  varint64(value: bigint): void {
    let rest = BigInt.asUintN(64, value);
    while (rest >= 0x80n) {
      this.bytes[this.pos++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    this.bytes[this.pos++] = Number(rest);
  }

  /** Tag and length of a length-delimited field. */
  open(field: number, contentBytes: number): void {
    this.bytes[this.pos++] = (field << 3) | 2;
    this.varint(contentBytes);
  }

  /** A string field; nothing when empty, as proto3 has it. `size` is `textSize(text)`. */
  text(field: number, text: string, size: number): void {
    if (size === 0) return;
    this.open(field, size);
    if (size === text.length) {
      for (let i = 0; i < size; i++) this.bytes[this.pos + i] = text.charCodeAt(i);
    } else {
      encoder.encodeInto(text, this.bytes.subarray(this.pos, this.pos + size));
    }
    this.pos += size;
  }

  raw(field: number, contents: Uint8Array): void {
    this.open(field, contents.length);
    if (this.#later === undefined || contents.length < LARGE_BYTES) this.bytes.set(contents, this.pos);
    else this.#later.push({ at: this.pos, contents });
    this.pos += contents.length;
  }

  float64(value: number): void {
    new DataView(this.bytes.buffer, this.bytes.byteOffset + this.pos, 8).setFloat64(0, value, true);
    this.pos += 8;
  }
}

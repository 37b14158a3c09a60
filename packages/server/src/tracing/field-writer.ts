const FIRST_BYTES = 4096;
/** Of a field's tag, its length and its length's growth; more than any fixed-size field needs. */
const MOST_HEAD_BYTES = 32;
const [VARINT, BIT64, DELIMITED, BIT32] = [0, 1, 2, 5];
const MORE = 0x80;
const LOW_BITS = 0x7f;
const WORD = 2 ** 32;
const NANOS_PER_MICRO = 1000;
const MICROS_PER_MS = 1000;
/** Of one UTF-16 unit in UTF-8. */
const MOST_UNIT_BYTES = 3;

/**
 * Writes protobuf fields into memory that it keeps: a message is opened and closed where it lies, and moved by a byte or two when it grew long. A
 * general writer makes a list of pieces for each message, which costs ten times as much where messages are an attribute long.
 */
export class FieldWriter {
  #bytes: Buffer = Buffer.alloc(FIRST_BYTES);
  #at = 0;

  /** Begins a message; returns what `close` wants. */
  open(field: number): number {
    this.#reserve(MOST_HEAD_BYTES);
    this.#varint((field << 3) | DELIMITED);
    return this.#at++;
  }

  /** Ends the message that was begun last. */
  close(lengthAt: number): void {
    const length = this.#at - lengthAt - 1;
    if (length > LOW_BITS) {
      const more = varintBytes(length) - 1;
      this.#reserve(more);
      this.#bytes.copyWithin(lengthAt + 1 + more, lengthAt + 1, this.#at);
      this.#at += more;
      writeVarint(this.#bytes, lengthAt, length);
    } else {
      this.#bytes[lengthAt] = length;
    }
  }

  text(field: number, text: string): void {
    this.#reserve(text.length * MOST_UNIT_BYTES);
    const at = this.open(field);
    this.#at += this.#bytes.write(text, this.#at, "utf8");
    this.close(at);
  }

  /** Bytes that are given as hexadecimal digits. */
  hex(field: number, digits: string): void {
    this.#reserve(digits.length);
    const at = this.open(field);
    this.#at += this.#bytes.write(digits, this.#at, "hex");
    this.close(at);
  }

  /** A safe integer, as int64 or an enum. */
  integer(field: number, value: number): void {
    this.#reserve(MOST_HEAD_BYTES);
    this.#varint((field << 3) | VARINT);
    if (value >= 0) {
      this.#varint(value);
      return;
    }
    let rest = BigInt.asUintN(64, BigInt(value));
    for (; rest > BigInt(LOW_BITS); rest >>= 7n) this.#bytes[this.#at++] = Number(rest & 0x7fn) | MORE;
    this.#bytes[this.#at++] = Number(rest);
  }

  double(field: number, value: number): void {
    this.#reserve(MOST_HEAD_BYTES);
    this.#varint((field << 3) | BIT64);
    this.#at = this.#bytes.writeDoubleLE(value, this.#at);
  }

  fixed32(field: number, value: number): void {
    this.#reserve(MOST_HEAD_BYTES);
    this.#varint((field << 3) | BIT32);
    this.#at = this.#bytes.writeUInt32LE(value, this.#at);
  }

  /** Milliseconds since 1970 as nanoseconds, in whole microseconds, as fixed64. They have more bits than a number: two words are worked out apart. */
  nanos(field: number, ms: number): void {
    this.#reserve(MOST_HEAD_BYTES);
    this.#varint((field << 3) | BIT64);
    const micros = Math.max(0, Math.round(ms * MICROS_PER_MS));
    const low = (micros % WORD) * NANOS_PER_MICRO;
    const high = Math.floor(micros / WORD) * NANOS_PER_MICRO + Math.floor(low / WORD);
    this.#at = this.#bytes.writeUInt32LE(low % WORD, this.#at);
    this.#at = this.#bytes.writeUInt32LE(high, this.#at);
  }

  /** A copy of what was written; it begins anew. */
  take(): Uint8Array {
    const taken = Uint8Array.prototype.slice.call(this.#bytes, 0, this.#at);
    this.#at = 0;
    return taken;
  }

  #varint(value: number): void {
    this.#at = writeVarint(this.#bytes, this.#at, value);
  }

  /** Room for so many more bytes, and the head of a field. */
  #reserve(more: number): void {
    const needed = this.#at + more + MOST_HEAD_BYTES;
    if (needed <= this.#bytes.length) return;
    const grown = Buffer.alloc(Math.max(needed, this.#bytes.length * 2));
    this.#bytes.copy(grown, 0, 0, this.#at);
    this.#bytes = grown;
  }
}

function writeVarint(bytes: Buffer, at: number, value: number): number {
  let rest = value;
  let end = at;
  for (; rest > LOW_BITS; rest = Math.floor(rest / MORE)) bytes[end++] = (rest % MORE) | MORE;
  bytes[end++] = rest;
  return end;
}

function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest > LOW_BITS; rest = Math.floor(rest / MORE)) bytes++;
  return bytes;
}

const UTF8 = new TextEncoder();

/** Payloads from this size on are kept by reference until the end instead of being copied into the growing buffer. */
const REFERENCE_BYTES = 1 << 16;

interface Payload {
  /** Where it belongs among the bytes of the buffer. */
  at: number;
  readonly bytes: Uint8Array;
}

/**
 * Appends protobuf fields to a growing buffer. Nested messages are written in place; their length is filled in afterwards. Large
 * payloads stay where they are: they must not change until the writer is finished.
 */
export class ProtobufWriter {
  #bytes = new Uint8Array(1 << 12);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;
  readonly #payloads: Payload[] = [];
  #payloadBytes = 0;

  /** A varint field. Negative numbers take ten bytes, as int64 does. */
  int(field: number, value: number | bigint): void {
    this.#varint(field * 8);
    if (typeof value === "number" && value >= 0 && value <= 0x7fffffff) this.#varint(value);
    else this.#bigVarint(BigInt.asUintN(64, BigInt(value)));
  }

  float(field: number, value: number): void {
    this.#varint(field * 8 + 5);
    this.#fixedFloat(value);
  }

  /** Names are ASCII as a rule, and TextEncoder costs a microsecond a call: thousands of them are most of an encoding's time. */
  string(field: number, value: string): void {
    const start = this.#length;
    this.#varint(field * 8 + 2);
    this.#varint(value.length);
    this.#reserve(value.length);
    for (let i = 0; i < value.length; i++) {
      const code = value.charCodeAt(i);
      if (code > 127) {
        this.#length = start;
        this.bytes(field, UTF8.encode(value));
        return;
      }
      this.#bytes[this.#length++] = code;
    }
  }

  bytes(field: number, value: Uint8Array): void {
    this.#varint(field * 8 + 2);
    this.#varint(value.length);
    if (value.length >= REFERENCE_BYTES) {
      this.#payloads.push({ at: this.#length, bytes: value });
      this.#payloadBytes += value.length;
    } else this.append(value);
  }

  /** Fields that are encoded already. */
  append(fields: Uint8Array): void {
    this.#reserve(fields.length);
    this.#bytes.set(fields, this.#length);
    this.#length += fields.length;
  }

  packedInts(field: number, values: readonly (number | bigint)[]): void {
    this.message(field, () => {
      for (const value of values) this.#bigVarint(BigInt.asUintN(64, BigInt(value)));
    });
  }

  packedFloats(field: number, values: readonly number[]): void {
    this.message(field, () => {
      for (const value of values) this.#fixedFloat(value);
    });
  }

  message(field: number, write: () => void): void {
    this.#varint(field * 8 + 2);
    const start = this.#length;
    const payloads = this.#payloads.length;
    const payloadBytes = this.#payloadBytes;
    write();
    const written = this.#length - start;
    const size = written + this.#payloadBytes - payloadBytes;
    const header = varintSize(size);
    this.#reserve(header);
    this.#bytes.copyWithin(start + header, start, this.#length);
    for (let i = payloads; i < this.#payloads.length; i++) this.#payloads[i]!.at += header;
    this.#length = start;
    this.#varint(size);
    this.#length += written;
  }

  get byteLength(): number {
    return this.#length + this.#payloadBytes;
  }

  /** The message in pieces that follow one another. */
  parts(): Uint8Array[] {
    const parts: Uint8Array[] = [];
    let from = 0;
    for (const { at, bytes } of this.#payloads) {
      parts.push(this.#bytes.subarray(from, at), bytes);
      from = at;
    }
    parts.push(this.#bytes.subarray(from, this.#length));
    return parts;
  }

  finish(): Uint8Array {
    if (this.#payloads.length === 0) return this.#bytes.slice(0, this.#length);
    const whole = new Uint8Array(this.byteLength);
    let at = 0;
    for (const part of this.parts()) {
      whole.set(part, at);
      at += part.length;
    }
    return whole;
  }

  #fixedFloat(value: number): void {
    this.#reserve(4);
    this.#view.setFloat32(this.#length, value, true);
    this.#length += 4;
  }

  #varint(value: number): void {
    this.#reserve(5);
    let rest = value;
    while (rest > 127) {
      this.#bytes[this.#length++] = (rest & 127) | 128;
      rest = Math.floor(rest / 128);
    }
    this.#bytes[this.#length++] = rest;
  }

  #bigVarint(value: bigint): void {
    this.#reserve(10);
    let rest = value;
    while (rest > 127n) {
      this.#bytes[this.#length++] = Number(rest & 127n) | 128;
      rest >>= 7n;
    }
    this.#bytes[this.#length++] = Number(rest);
  }

  #reserve(extra: number): void {
    const needed = this.#length + extra;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
}

function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest > 127; rest = Math.floor(rest / 128)) size += 1;
  return size;
}

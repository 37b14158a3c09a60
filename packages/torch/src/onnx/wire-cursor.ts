import type { ByteSource } from "../byte-source.ts";
import { ModelFileError } from "../errors.ts";

const WINDOW_BYTES = 64 * 1024;

/** One field of a protobuf message: its number, and for length-delimited fields where the payload lies. */
export interface WireField {
  readonly number: number;
  /** 0 varint, 1 fixed 64, 2 length-delimited, 5 fixed 32. */
  readonly wireType: number;
  /** Varint and fixed values as unsigned; 0n for length-delimited fields. */
  readonly value: bigint;
  /** First byte and length of the payload of a length-delimited field. */
  readonly offset: number;
  readonly length: number;
}

/**
 * Walks the fields of protobuf messages inside a file without reading payloads that nobody asks for, so that a model with
 * gigabytes of inline weights is scanned in a few reads. Every length is checked against the message around it.
 */
export class WireCursor {
  readonly #source: ByteSource;
  readonly #maxFields: number;
  #window: Uint8Array = new Uint8Array(0);
  #windowStart = 0;
  #position = 0;
  #fields = 0;

  /** `maxFields` bounds the fields visited over the whole life of the cursor. */
  constructor(source: ByteSource, maxFields: number) {
    this.#source = source;
    this.#maxFields = maxFields;
  }

  /** Calls `visit` for every field of the message in `[start, end)`. Throws ModelFileError when the bytes are no message. */
  eachField(start: number, end: number, visit: (field: WireField) => void): void {
    let next = start;
    while (next < end) {
      this.#position = next;
      const field = this.#readField(end);
      next = field.wireType === 2 ? field.offset + field.length : this.#position;
      visit(field);
    }
  }

  /** `eachField` over the message that a field holds. */
  eachFieldIn(message: WireField, visit: (field: WireField) => void): void {
    if (message.wireType !== 2) throw corrupt("a message is no message");
    this.eachField(message.offset, message.offset + message.length, visit);
  }

  text(field: WireField, maxBytes: number): string {
    if (field.length > maxBytes) throw new ModelFileError("limit", `a name is longer than ${maxBytes} bytes`);
    return new TextDecoder().decode(this.#source.read(field.offset, field.length));
  }

  /** The payload of a length-delimited field. */
  payload(field: WireField): Uint8Array {
    return this.#source.read(field.offset, field.length);
  }

  /** The varints of a packed repeated field. */
  packed(field: WireField): bigint[] {
    const values: bigint[] = [];
    this.#position = field.offset;
    const end = field.offset + field.length;
    while (this.#position < end) values.push(this.#varint(end));
    return values;
  }

  #readField(end: number): WireField {
    this.#fields += 1;
    if (this.#fields > this.#maxFields) {
      throw new ModelFileError("limit", `the model has more than ${this.#maxFields} protobuf fields`);
    }
    const tag = this.#varint(end);
    const number = Number(tag >> 3n);
    const wireType = Number(tag & 7n);
    if (number === 0) throw corrupt("a field has number 0");
    switch (wireType) {
      case 0:
        return { number, wireType, value: this.#varint(end), offset: 0, length: 0 };
      case 1:
        return { number, wireType, value: this.#fixed(8, end), offset: 0, length: 0 };
      case 5:
        return { number, wireType, value: this.#fixed(4, end), offset: 0, length: 0 };
      case 2: {
        const length = this.#varint(end);
        if (length > BigInt(end - this.#position))
          throw corrupt("a field is longer than the message around it");
        return { number, wireType, value: 0n, offset: this.#position, length: Number(length) };
      }
      default:
        throw corrupt(`a field has wire type ${wireType}`);
    }
  }

  #varint(end: number): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#byte(end);
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw corrupt("a number is longer than ten bytes");
  }

  #fixed(bytes: number, end: number): bigint {
    let value = 0n;
    for (let i = 0; i < bytes; i++) value |= BigInt(this.#byte(end)) << BigInt(8 * i);
    return value;
  }

  #byte(end: number): number {
    if (this.#position >= end) throw corrupt("a field ends after the message around it");
    let index = this.#position - this.#windowStart;
    if (index < 0 || index >= this.#window.length) {
      const length = Math.min(WINDOW_BYTES, this.#source.byteLength - this.#position);
      this.#window = this.#source.read(this.#position, length);
      this.#windowStart = this.#position;
      index = 0;
    }
    this.#position += 1;
    return this.#window[index]!;
  }
}

function corrupt(why: string): ModelFileError {
  return new ModelFileError("corrupt", `not an ONNX model: ${why}`);
}

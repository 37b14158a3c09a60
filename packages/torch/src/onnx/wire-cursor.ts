import type { ByteSource } from "../byte-source.ts";
import { ModelFileError } from "../errors.ts";

const WINDOW_BYTES = 64 * 1024;
const MAX_FIELD_NUMBER = 2 ** 29 - 1;
/** A number of this many bytes fits a double; longer ones are finished as BigInt. */
const EXACT_BYTES = 7;
const MAX_GROUP_DEPTH = 100;

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
 * gigabytes of inline weights is scanned in a few reads. Every length is checked against the message around it; groups, which no
 * field of ours has, are passed over.
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

  get byteLength(): number {
    return this.#source.byteLength;
  }

  /** Calls `visit` for every field of the message in `[start, end)`. Throws ModelFileError when the bytes are not message. */
  eachField(start: number, end: number, visit: (field: WireField) => void): void {
    let next = start;
    while (next < end) {
      this.#position = next;
      const field = this.#readField(end, 0);
      next = field?.wireType === 2 ? field.offset + field.length : this.#position;
      if (field !== undefined) visit(field);
    }
  }

  /** The payload of a length-delimited field. May be a view on what was read before. */
  payload({ offset, length }: WireField): Uint8Array {
    const start = offset - this.#windowStart;
    if (start >= 0 && start + length <= this.#window.length)
      return this.#window.subarray(start, start + length);
    return this.#source.read(offset, length);
  }

  /** The numbers of a repeated varint field, packed or not. */
  eachVarint(field: WireField, visit: (value: bigint) => void): void {
    if (field.wireType !== 2) {
      visit(field.value);
      return;
    }
    this.#position = field.offset;
    const end = field.offset + field.length;
    while (this.#position < end) visit(this.#varint(end));
  }

  /** Undefined: a group, which was passed over. */
  #readField(end: number, depth: number): WireField | undefined {
    this.#fields += 1;
    if (this.#fields > this.#maxFields) {
      throw new ModelFileError("limit", `the model has more than ${this.#maxFields} protobuf fields`);
    }
    const tag = Number(this.#varint(end));
    const number = Math.floor(tag / 8);
    const wireType = tag % 8;
    if (number === 0 || number > MAX_FIELD_NUMBER) throw corrupt(`a field has number ${number}`);
    switch (wireType) {
      case 0:
        return { number, wireType, value: this.#varint(end), offset: 0, length: 0 };
      case 1:
        return { number, wireType, value: this.#fixed(8, end), offset: 0, length: 0 };
      case 5:
        return { number, wireType, value: this.#fixed(4, end), offset: 0, length: 0 };
      case 2: {
        const length = Number(this.#varint(end));
        if (length > end - this.#position)
          throw corrupt("a field is longer than the message around it (is the file truncated?)");
        return { number, wireType, value: 0n, offset: this.#position, length };
      }
      case 3:
        this.#skipGroup(number, end, depth + 1);
        return undefined;
      default:
        throw corrupt(`a field has wire type ${wireType}`);
    }
  }

  #skipGroup(number: number, end: number, depth: number): void {
    if (depth > MAX_GROUP_DEPTH) throw corrupt("its groups are nested too deeply");
    for (;;) {
      const start = this.#position;
      const tag = Number(this.#varint(end));
      if (tag % 8 === 4) {
        if (Math.floor(tag / 8) !== number) throw corrupt("a group does not end");
        return;
      }
      this.#position = start;
      const field = this.#readField(end, depth);
      if (field?.wireType === 2) this.#position = field.offset + field.length;
    }
  }

  #varint(end: number): bigint {
    let small = 0;
    for (let i = 0; i < EXACT_BYTES; i++) {
      const byte = this.#byte(end);
      small += (byte & 0x7f) * 2 ** (7 * i);
      if (byte < 0x80) return BigInt(small);
    }
    let value = BigInt(small);
    for (let shift = BigInt(7 * EXACT_BYTES); shift < 70n; shift += 7n) {
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

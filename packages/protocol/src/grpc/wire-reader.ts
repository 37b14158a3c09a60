import { ServeError } from "../serve-error.ts";

/** Protobuf wire types (encoding spec, "Message structure"). */
export const VARINT = 0;
export const FIXED64 = 1;
export const LENGTH = 2;
export const START_GROUP = 3;
export const END_GROUP = 4;
export const FIXED32 = 5;

const MAX_GROUP_DEPTH = 32;
/** Fields, and pieces of text, of a message outside tensor data: they are read in one go. A request with 256 tensors has a few thousand. */
const MAX_FIELDS = 32_768;
/** Bytes of text that cost as much as a field. */
const TEXT_PIECE_BYTES = 16;
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** An `invalid_argument` for bytes that are no protobuf message of the expected type. */
export function malformed(what: string): ServeError {
  return new ServeError("invalid_argument", `the message is not valid protobuf: ${what}`, {
    reason: "malformed_message",
  });
}

/**
 * A cursor over a protobuf message. It allocates nothing but strings; byte fields are views on `bytes`. Nested messages share the
 * cursor: `enter` returns where the nested message ends. Every method throws ServeError `invalid_argument` on malformed bytes.
 */
export class WireReader {
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  pos: number;
  /** The two halves of the varint that `varint` read last, unsigned. */
  lo = 0;
  hi = 0;
  /** Fields and pieces of text read since the start, or since somebody who takes pauses took one. */
  fields = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.pos = 0;
  }

  /** Reads a varint of up to ten bytes into `lo` and `hi`. */
  varint(end: number): void {
    let lo = 0;
    let hi = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (this.pos >= end) throw malformed("it ends inside a number");
      const byte = this.bytes[this.pos++]!;
      const bits = byte & 0x7f;
      if (shift < 28) lo |= bits << shift;
      else if (shift === 28) {
        lo |= bits << 28;
        hi |= bits >>> 4;
      } else if (shift < 63) hi |= bits << (shift - 32);
      else hi |= (bits & 1) << 31;
      if (byte < 0x80) {
        this.lo = lo >>> 0;
        this.hi = hi >>> 0;
        return;
      }
    }
    throw malformed("a number is longer than ten bytes");
  }

  /** The next tag (field number × 8 + wire type), or 0 at `end`. */
  tag(end: number): number {
    if (this.pos >= end) return 0;
    if (++this.fields > MAX_FIELDS) throw tooManyFields();
    const byte = this.bytes[this.pos]!;
    if (byte < 0x80) this.pos++;
    else {
      this.varint(end);
      if (this.hi !== 0) throw malformed("a field number is out of range");
    }
    const tag = byte < 0x80 ? byte : this.lo;
    if (tag >>> 3 === 0) throw malformed("a field has the number 0");
    return tag;
  }

  /** Reads a length and returns where that many bytes end; the cursor stands at their start. */
  enter(end: number): number {
    this.varint(end);
    const stop = this.pos + this.lo;
    if (this.hi !== 0 || stop > end) throw malformed("a length points past the end");
    return stop;
  }

  /** A `bytes` field as a view. */
  span(end: number): Uint8Array {
    const stop = this.enter(end);
    const view = this.bytes.subarray(this.pos, stop);
    this.pos = stop;
    return view;
  }

  /** A `string` field of at most `maxBytes` bytes; `what` names it in the error. */
  text(end: number, maxBytes: number, what: string): string {
    const stop = this.enter(end);
    const start = this.pos;
    if (stop - start > maxBytes) {
      throw new ServeError(
        "invalid_argument",
        `${what} is ${stop - start} bytes long; at most ${maxBytes} are allowed`,
        {
          reason: "limit_exceeded",
        },
      );
    }
    this.pos = stop;
    this.fields += Math.floor((stop - start) / TEXT_PIECE_BYTES);
    let text = "";
    for (let i = start; i < stop; i++) {
      const byte = this.bytes[i]!;
      if (byte >= 0x80) return decodeUtf8(this.bytes.subarray(start, stop), what);
      text += String.fromCharCode(byte);
    }
    return text;
  }

  fixed32(end: number): number {
    if (this.pos + 4 > end) throw malformed("it ends inside a 32-bit value");
    const value = this.#view.getUint32(this.pos, true);
    this.pos += 4;
    return value;
  }

  float64(end: number): number {
    if (this.pos + 8 > end) throw malformed("it ends inside a 64-bit value");
    const value = this.#view.getFloat64(this.pos, true);
    this.pos += 8;
    return value;
  }

  /** The varint just read, as a signed 64-bit integer: a number where that is exact, else a bigint. */
  int64(): number | bigint {
    const high = this.hi | 0;
    if (high >= -0x200000 && high < 0x200000) return high * 0x100000000 + this.lo;
    return (BigInt(high) << 32n) | BigInt(this.lo);
  }

  /** The varint just read, unsigned: a number where that is exact, else a bigint. */
  uint64(): number | bigint {
    if (this.hi < 0x200000) return this.hi * 0x100000000 + this.lo;
    return (BigInt(this.hi) << 32n) | BigInt(this.lo);
  }

  /** Steps over a field that this reader does not know. */
  skip(tag: number, end: number, depth = 0): void {
    switch (tag & 7) {
      case VARINT:
        this.varint(end);
        return;
      case FIXED64:
        this.#advance(8, end);
        return;
      case LENGTH:
        this.pos = this.enter(end);
        return;
      case FIXED32:
        this.#advance(4, end);
        return;
      case START_GROUP:
        this.#skipGroup(tag, end, depth);
        return;
      default:
        throw malformed("a field has an unknown wire type");
    }
  }

  #advance(count: number, end: number): void {
    if (this.pos + count > end) throw malformed("it ends inside a value");
    this.pos += count;
  }

  #skipGroup(open: number, end: number, depth: number): void {
    if (depth >= MAX_GROUP_DEPTH) throw malformed("groups are nested too deeply");
    for (;;) {
      const tag = this.tag(end);
      if (tag === 0) throw malformed("a group has no end");
      if ((tag & 7) === END_GROUP) {
        if (tag >>> 3 !== open >>> 3) throw malformed("a group ends with another field's number");
        return;
      }
      this.skip(tag, end, depth + 1);
    }
  }
}

function tooManyFields(): ServeError {
  return new ServeError(
    "invalid_argument",
    `the message has more than ${MAX_FIELDS} fields, or too much text, outside tensor data`,
    { reason: "limit_exceeded" },
  );
}

function decodeUtf8(bytes: Uint8Array, what: string): string {
  try {
    return utf8.decode(bytes);
  } catch (cause) {
    throw new ServeError("invalid_argument", `${what} is not valid UTF-8`, {
      reason: "malformed_message",
      cause,
    });
  }
}

import { ServeError } from "../../../base/errors.ts";

/** Flags and length, as in gRPC's own frames. */
export const PREFIX_BYTES = 5;

/** A message in gRPC's frame. */
export function framed(message: Uint8Array, flags = 0): Buffer {
  const frame = Buffer.allocUnsafe(PREFIX_BYTES + message.length);
  frame[0] = flags;
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, PREFIX_BYTES);
  return frame;
}

export function messageIn(frame: Buffer): Buffer {
  return frame.subarray(PREFIX_BYTES);
}

/** Cuts bytes that come in pieces into envelopes, and puts `convert`'s results into others. For messages of a bounded size. */
export class EnvelopeConverter {
  readonly #convert: (message: Buffer) => Uint8Array;
  readonly #maxBytes: number;
  #pending: Buffer[] = [];
  #size = 0;

  constructor(maxBytes: number, convert: (message: Buffer) => Uint8Array) {
    this.#maxBytes = maxBytes;
    this.#convert = convert;
  }

  /** What is complete now. Throws `resource_exhausted`, `unimplemented` for compressed messages, and what `convert` throws. */
  write(bytes: Buffer): Buffer {
    this.#pending.push(bytes);
    this.#size += bytes.length;
    if (this.#size < this.#needed()) return NOTHING;
    let all = this.#joined();
    const done: Buffer[] = [];
    while (all.length >= PREFIX_BYTES) {
      const end = this.#checkedEnd(all);
      if (all.length < end) break;
      done.push(framed(this.#convert(all.subarray(PREFIX_BYTES, end))));
      all = all.subarray(end);
    }
    this.#pending = all.length === 0 ? [] : [all];
    this.#size = all.length;
    return Buffer.concat(done);
  }

  /** What is left of a message that was cut off; it will be found out as one. */
  rest(): Buffer {
    return this.#size === 0 ? NOTHING : this.#joined();
  }

  #needed(): number {
    const [first] = this.#pending;
    if (first === undefined || first.length < PREFIX_BYTES) return PREFIX_BYTES;
    return this.#checkedEnd(first);
  }

  #joined(): Buffer {
    const all = this.#pending.length === 1 ? this.#pending[0]! : Buffer.concat(this.#pending, this.#size);
    this.#pending = [all];
    return all;
  }

  #checkedEnd(envelope: Buffer): number {
    const size = envelope.readUInt32BE(1);
    if (envelope[0] !== 0) {
      throw new ServeError("unimplemented", "compressed messages are taken in protobuf's form, not in JSON", {
        reason: "unsupported_encoding",
      });
    }
    if (size > this.#maxBytes) {
      throw new ServeError(
        "resource_exhausted",
        `a message in JSON has ${this.#maxBytes} bytes at most here; ask in protobuf's binary form, or at /v2`,
        { reason: "body_too_large" },
      );
    }
    return PREFIX_BYTES + size;
  }
}

const NOTHING: Buffer = Buffer.alloc(0);

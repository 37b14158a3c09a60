import { encodeBase64 } from "./base64.ts";
import type { ByteWriter } from "./byte-writer.ts";
import { MAX_NUMBER_TEXT, writeFloat32, writeInt32 } from "./float-text.ts";
import { bfloat16Value, float16Value } from "./half.ts";
import { isUtf8, writeString } from "./json-string.ts";
import { packedElements } from "./packed-bytes.ts";
import { elementCount, type Tensor } from "./tensor.ts";

/** How a tensor becomes JSON. */
export interface JsonEncodeOptions {
  /** Nested arrays as the shape says, or one flat array in row-major order. */
  readonly layout: "nested" | "flat";
  /** What NaN and ±Infinity become: the bare words that Triton and Python read and write, or `null` for strict JSON readers. */
  readonly nonFinite: "bare" | "null";
}

const COMMA = 0x2c;
const OPEN = 0x5b;
const CLOSE = 0x5d;

/**
 * Writes a tensor's elements as JSON: a flat array, or arrays nested by shape (a scalar is then a bare value). Float32 gets the
 * fewest digits that bring back the same float32, the 64-bit integers all of theirs. BYTES elements become strings, or
 * `{"b64": "…"}` where they are not UTF-8.
 */
export function encodeJsonTensor(out: ByteWriter, tensor: Tensor, options: JsonEncodeOptions): void {
  const count = elementCount(tensor.shape);
  const write = elementWriter(tensor, wordsOf(options));
  if (options.layout === "flat") {
    writeRun(out, write, { from: 0, count });
    return;
  }
  writeNested(out, write, { shape: tensor.shape, dim: 0, from: 0, size: count });
}

/** More text than one element takes, unless it is one of BYTES. */
const MOST_TEXT = MAX_NUMBER_TEXT + 2;
/** Elements between two looks at how much was written. */
const RUN_ELEMENTS = 256;

/** `encodeJsonTensor` in steps, for texts so long that others should have their turn in between. Nothing else may write to `out`. */
export class JsonTensorEncoder {
  readonly #out: ByteWriter;
  readonly #tensor: Tensor;
  readonly #options: JsonEncodeOptions;
  readonly #count: number;
  #until = 0;
  #rest: Generator<void, void, void> | undefined;

  constructor(out: ByteWriter, tensor: Tensor, options: JsonEncodeOptions) {
    this.#out = out;
    this.#tensor = tensor;
    this.#options = options;
    this.#count = elementCount(tensor.shape);
  }

  /** Writes about `amount` bytes more; true when all is written. */
  step(amount: number): boolean {
    if (this.#rest === undefined) {
      if (this.#tensor.bytes.length + this.#count * MOST_TEXT <= amount) {
        encodeJsonTensor(this.#out, this.#tensor, this.#options);
        return true;
      }
      this.#rest = this.#write();
    }
    this.#until = this.#out.at + amount;
    return this.#rest.next().done === true;
  }

  *#write(): Generator<void, void, void> {
    const { shape } = this.#tensor;
    const write = elementWriter(this.#tensor, wordsOf(this.#options));
    if (this.#options.layout === "flat") yield* this.#run(write, { from: 0, count: this.#count });
    else yield* this.#nested(write, { shape, dim: 0, from: 0, size: this.#count });
  }

  *#nested(write: ElementWriter, { shape, dim, from, size }: Block): Generator<void, void, void> {
    const length = shape[dim];
    if (length === undefined || size <= RUN_ELEMENTS) {
      writeNested(this.#out, write, { shape, dim, from, size });
      if (this.#out.at >= this.#until) yield;
    } else if (dim === shape.length - 1) {
      yield* this.#run(write, { from, count: length });
    } else {
      const inner = size / length;
      this.#out.byte(OPEN);
      for (let i = 0; i < length; i++) {
        if (i > 0) this.#out.byte(COMMA);
        yield* this.#nested(write, { shape, dim: dim + 1, from: from + i * inner, size: inner });
      }
      this.#out.byte(CLOSE);
    }
  }

  *#run(write: ElementWriter, { from, count }: Run): Generator<void, void, void> {
    const out = this.#out;
    out.byte(OPEN);
    for (let done = 0; done < count; done += RUN_ELEMENTS) {
      if (done > 0) out.byte(COMMA);
      writeElements(out, write, { from: from + done, count: Math.min(RUN_ELEMENTS, count - done) });
      if (out.at >= this.#until) yield;
    }
    out.byte(CLOSE);
  }
}

function wordsOf({ nonFinite }: JsonEncodeOptions): Words {
  return nonFinite === "bare" ? BARE_WORDS : NULL_WORDS;
}

/** Elements in order, from the first on. */
interface Run {
  readonly from: number;
  readonly count: number;
}

/** Writes the element with this index, the one after the last that was written; room for `MAX_NUMBER_TEXT` bytes was made. */
type ElementWriter = (out: ByteWriter, index: number) => void;

interface Block {
  readonly shape: readonly number[];
  readonly dim: number;
  readonly from: number;
  readonly size: number;
}

function writeNested(out: ByteWriter, write: ElementWriter, { shape, dim, from, size }: Block): void {
  if (dim === shape.length) {
    out.reserve(MAX_NUMBER_TEXT);
    write(out, from);
    return;
  }
  const length = shape[dim]!;
  if (dim === shape.length - 1) {
    writeRun(out, write, { from, count: length });
    return;
  }
  const inner = length === 0 ? 0 : size / length;
  out.byte(OPEN);
  for (let i = 0; i < length; i++) {
    if (i > 0) out.byte(COMMA);
    writeNested(out, write, { shape, dim: dim + 1, from: from + i * inner, size: inner });
  }
  out.byte(CLOSE);
}

function writeRun(out: ByteWriter, write: ElementWriter, run: Run): void {
  out.byte(OPEN);
  writeElements(out, write, run);
  out.byte(CLOSE);
}

function writeElements(out: ByteWriter, write: ElementWriter, { from, count }: Run): void {
  const end = from + count;
  for (let at = from; at < end; at += RUN_ELEMENTS) {
    const until = Math.min(at + RUN_ELEMENTS, end);
    out.reserve((until - at) * MOST_TEXT);
    for (let i = at; i < until; i++) {
      // A string may have taken all the room.
      if (i > from) out.byte(COMMA);
      write(out, i);
    }
  }
}

interface Words {
  readonly nan: string;
  readonly infinity: string;
  readonly minusInfinity: string;
}

const BARE_WORDS: Words = { nan: "NaN", infinity: "Infinity", minusInfinity: "-Infinity" };
const NULL_WORDS: Words = { nan: "null", infinity: "null", minusInfinity: "null" };

/** Chooses how the elements of one tensor are written: once per tensor, so that the loops above do not ask again. */
function elementWriter(tensor: Tensor, words: Words): ElementWriter {
  const { bytes } = tensor;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  switch (tensor.datatype) {
    case "FP32":
      return (out, i) => writeFloat(out, view.getFloat32(i * 4, true), words);
    case "FP64":
      return (out, i) => writeDouble(out, view.getFloat64(i * 8, true), words);
    case "FP16":
      return (out, i) => writeFloat(out, float16Value(view.getUint16(i * 2, true)), words);
    case "BF16":
      return (out, i) => writeFloat(out, bfloat16Value(view.getUint16(i * 2, true)), words);
    case "BOOL":
      return (out, i) => out.ascii(bytes[i] === 0 ? "false" : "true");
    case "INT8":
      return (out, i) => writeInt32(out, view.getInt8(i));
    case "UINT8":
      return (out, i) => writeInt32(out, bytes[i]!);
    case "INT16":
      return (out, i) => writeInt32(out, view.getInt16(i * 2, true));
    case "UINT16":
      return (out, i) => writeInt32(out, view.getUint16(i * 2, true));
    case "INT32":
      return (out, i) => writeInteger(out, view.getInt32(i * 4, true));
    case "UINT32":
      return (out, i) => writeInteger(out, view.getUint32(i * 4, true));
    case "INT64":
      return (out, i) => writeInteger64(out, view, { at: i * 8, signed: true });
    case "UINT64":
      return (out, i) => writeInteger64(out, view, { at: i * 8, signed: false });
    case "BYTES": {
      const elements = packedElements(bytes, "output");
      return (out) => writeBytesElement(out, elements.next().value!);
    }
  }
}

function writeFloat(out: ByteWriter, value: number, words: Words): void {
  if (value - value === 0) writeFloat32(out, value);
  else writeWord(out, value, words);
}

function writeDouble(out: ByteWriter, value: number, words: Words): void {
  if (value - value !== 0) writeWord(out, value, words);
  else if (value === 0 && 1 / value < 0) out.ascii("-0");
  else if (value === (value | 0) && value !== -0x80000000) writeInt32(out, value);
  else out.ascii(String(value));
}

function writeWord(out: ByteWriter, value: number, words: Words): void {
  out.ascii(value > 0 ? words.infinity : value < 0 ? words.minusInfinity : words.nan);
}

function writeInteger(out: ByteWriter, value: number): void {
  if (value <= 0x7fffffff && value > -0x80000000) writeInt32(out, value);
  else out.ascii(String(value));
}

function writeInteger64(
  out: ByteWriter,
  view: DataView,
  { at, signed }: { readonly at: number; readonly signed: boolean },
): void {
  const high = signed ? view.getInt32(at + 4, true) : view.getUint32(at + 4, true);
  const value = high * 0x1_0000_0000 + view.getUint32(at, true);
  if (Number.isSafeInteger(value)) writeInteger(out, value);
  else out.ascii(String(signed ? view.getBigInt64(at, true) : view.getBigUint64(at, true)));
}

function writeBytesElement(out: ByteWriter, element: Uint8Array): void {
  if (isUtf8(element)) writeString(out, element);
  else out.ascii(`{"b64":"${encodeBase64(element)}"}`);
}

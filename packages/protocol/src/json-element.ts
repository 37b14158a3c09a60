import { decodeBase64 } from "./base64.ts";
import type { ByteWriter } from "./byte-writer.ts";
import type { Datatype } from "./datatype.ts";
import { bfloat16Bits, float16Bits } from "./half.ts";
import {
  asciiText,
  float32Value,
  float64Value,
  MAX_NUMBER_CHARS,
  type NumberLiteral,
  readNumber,
} from "./json-number.ts";
import { readString } from "./json-string.ts";
import { ServeError } from "./serve-error.ts";

/** Where a reader stands in a tensor's JSON text, and the elements it has stored so far. */
export interface ElementReader {
  readonly bytes: Uint8Array;
  readonly end: number;
  readonly datatype: Datatype;
  readonly maxElementBytes: number;
  readonly literal: NumberLiteral;
  readonly out: ByteWriter;
  /** Over `out.bytes`; renewed when those grow. */
  view: DataView;
  at: number;
  /** The field and index path of the element being read, for messages. */
  path(): string;
}

const INTEGER_RANGES: Partial<Record<Datatype, readonly [number, number]>> = {
  BOOL: [0, 1],
  UINT8: [0, 0xff],
  UINT16: [0, 0xffff],
  UINT32: [0, 0xffffffff],
  INT8: [-0x80, 0x7f],
  INT16: [-0x8000, 0x7fff],
  INT32: [-0x80000000, 0x7fffffff],
};

/** Reads the element at `reader.at`, stores it at `out.at` (room for a number was made), and moves both on. */
export function readElement(reader: ElementReader): void {
  if (reader.datatype === "BYTES") {
    readBytesElement(reader);
    return;
  }
  const { bytes, at, end, literal } = reader;
  if (!readNumber(bytes, at, end, literal)) {
    readWord(reader);
    return;
  }
  if (literal.end - at > MAX_NUMBER_CHARS) {
    throw bad(
      reader,
      `a number of ${literal.end - at} characters is too long; the limit is ${MAX_NUMBER_CHARS}`,
    );
  }
  storeNumber(reader);
  reader.at = literal.end;
}

function storeNumber(reader: ElementReader): void {
  const { bytes, at, literal, view, out } = reader;
  switch (reader.datatype) {
    case "FP32":
      view.setFloat32(out.at, finite(reader, float32Value(bytes, at, literal)), true);
      out.at += 4;
      return;
    case "FP64":
      view.setFloat64(out.at, finite(reader, float64Value(bytes, at, literal)), true);
      out.at += 8;
      return;
    case "INT64":
    case "UINT64":
      storeInteger64(reader);
      return;
    case "FP16":
      storeHalf(reader, float16Bits(float64Value(bytes, at, literal)));
      return;
    case "BF16":
      storeHalf(reader, bfloat16Bits(float64Value(bytes, at, literal)));
      return;
    default:
      storeSmallInteger(reader, float64Value(bytes, at, literal));
  }
}

function finite(reader: ElementReader, value: number): number {
  if (value - value !== 0) throw outOfRange(reader);
  return value;
}

/** Halves are written as the numbers they are rounded from; PyTorch rounds what is too large for them to infinity. */
function storeHalf(reader: ElementReader, bits: number): void {
  reader.view.setUint16(reader.out.at, bits, true);
  reader.out.at += 2;
}

function storeSmallInteger(reader: ElementReader, value: number): void {
  const { view, out, datatype } = reader;
  const [min, max] = INTEGER_RANGES[datatype]!;
  // Also false for infinities.
  if (!(value >= min && value <= max)) throw outOfRange(reader);
  if (value !== Math.trunc(value)) throw notWhole(reader);
  if (datatype === "UINT8" || datatype === "INT8" || datatype === "BOOL") {
    view.setUint8(out.at, value);
    out.at += 1;
  } else if (datatype === "UINT16" || datatype === "INT16") {
    view.setUint16(out.at, value, true);
    out.at += 2;
  } else {
    view.setInt32(out.at, value, true);
    out.at += 4;
  }
}

/** Most integers are small enough to be cut in halves as float64; only the others pay for a BigInt. */
function storeInteger64(reader: ElementReader): void {
  const { view, out, literal, datatype } = reader;
  const { value } = literal;
  const signed = datatype === "INT64";
  if (literal.exact || !literal.integer) {
    const whole = literal.exact ? value : float64Value(reader.bytes, reader.at, literal);
    if (whole !== Math.trunc(whole)) throw notWhole(reader);
    if (Number.isSafeInteger(whole)) {
      if (whole < 0 && !signed) throw outOfRange(reader);
      const high = Math.floor(whole / 0x1_0000_0000);
      view.setUint32(out.at, whole - high * 0x1_0000_0000, true);
      view.setInt32(out.at + 4, high, true);
      out.at += 8;
      return;
    }
    if (!literal.integer) {
      throw bad(
        reader,
        `${literalText(reader)} is too large to be written with a fraction or exponent; write all its digits`,
      );
    }
  }
  const exact = BigInt(literalText(reader));
  if (exact !== (signed ? BigInt.asIntN(64, exact) : BigInt.asUintN(64, exact))) throw outOfRange(reader);
  view.setBigInt64(out.at, BigInt.asIntN(64, exact), true);
  out.at += 8;
}

const WORDS: ReadonlyArray<readonly [text: string, value: number]> = [
  ["true", 1],
  ["false", 0],
  ["NaN", Number.NaN],
  ["Infinity", Number.POSITIVE_INFINITY],
  ["-Infinity", Number.NEGATIVE_INFINITY],
];

/** Reads `true` and `false` (BOOL), and `NaN` and `±Infinity` (floats), which JSON lacks but Triton and Python write. */
function readWord(reader: ElementReader): void {
  const { bytes, at, end, view, out, datatype } = reader;
  const word = WORDS.find(
    ([text]) => at + text.length <= end && asciiText(bytes, at, at + text.length) === text,
  );
  const boolean = word !== undefined && Math.abs(word[1]) <= 1;
  if (word === undefined || boolean !== (datatype === "BOOL")) throw wrongType(reader);
  const value = word[1];
  if (datatype === "BOOL") view.setUint8(out.at, value);
  else if (datatype === "FP32") view.setFloat32(out.at, value, true);
  else if (datatype === "FP64") view.setFloat64(out.at, value, true);
  else if (datatype === "FP16") view.setUint16(out.at, float16Bits(value), true);
  else if (datatype === "BF16") view.setUint16(out.at, bfloat16Bits(value), true);
  else throw wrongType(reader);
  out.at += datatype === "BOOL" ? 1 : datatype === "FP32" ? 4 : datatype === "FP64" ? 8 : 2;
  reader.at = at + word[0].length;
}

const QUOTE = 0x22;
const BRACE = 0x7b;
const B64_OBJECT = /^\{\s*"b64"\s*:\s*"$/;

/** Reads a string, or `{"b64": "…"}` for bytes that are no text (TensorFlow Serving's form). */
function readBytesElement(reader: ElementReader): void {
  const { bytes, at, end, out } = reader;
  const lengthAt = out.at;
  out.uint32(0);
  if (bytes[at] === QUOTE) {
    const next = readString(bytes, at + 1, end, out);
    if (next < 0) throw bad(reader, "not a valid JSON string");
    reader.at = next;
  } else if (bytes[at] === BRACE) {
    readBase64Object(reader, lengthAt + 4);
  } else {
    throw wrongType(reader);
  }
  const size = out.at - lengthAt - 4;
  if (size > reader.maxElementBytes) {
    throw bad(reader, `an element of ${size} bytes is too long; the limit is ${reader.maxElementBytes}`);
  }
  out.setUint32(lengthAt, size);
}

function readBase64Object(reader: ElementReader, from: number): void {
  const { bytes, at, end, out } = reader;
  const expected = 'an object here must be {"b64": "…"} with valid base64 text';
  // The opening of the object is short; 64 bytes leave room for any sane white space.
  const head = asciiText(bytes, at, Math.min(end, at + 64));
  const quote = head.indexOf('"', head.indexOf(":"));
  if (head.indexOf(":") < 0 || quote < 0 || !B64_OBJECT.test(head.slice(0, quote + 1)))
    throw bad(reader, expected);
  let next = readString(bytes, at + quote + 1, end, out);
  const decoded = next < 0 ? undefined : decodeBase64(out.bytes.subarray(from, out.at));
  if (decoded === undefined) throw bad(reader, expected);
  while (next < end && bytes[next]! <= 0x20) next++;
  if (next >= end || bytes[next] !== 0x7d) throw bad(reader, expected);
  out.at = from;
  out.raw(decoded);
  reader.at = next + 1;
}

function literalText({ bytes, at, literal }: ElementReader): string {
  return asciiText(bytes, at, literal.end);
}

function outOfRange(reader: ElementReader): ServeError {
  return bad(reader, `${literalText(reader)} is out of range for ${reader.datatype}`);
}

function notWhole(reader: ElementReader): ServeError {
  return bad(reader, `${literalText(reader)} is not a whole number; ${reader.datatype} takes integers`);
}

function wrongType(reader: ElementReader): ServeError {
  const { datatype } = reader;
  const expected = datatype === "BYTES" ? "a string" : datatype === "BOOL" ? "true or false" : "a number";
  return bad(
    reader,
    `expected ${expected} for ${datatype}, got ${describeValue(reader.bytes, reader.at, reader.end)}`,
  );
}

/** Names the kind of JSON value that starts at `at`, for messages. */
export function describeValue(bytes: Uint8Array, at: number, end: number): string {
  const c = at < end ? String.fromCharCode(bytes[at]!) : "";
  if (c === "") return "the end of the text";
  if (c === '"') return "a string";
  if (c === "{") return "an object";
  if (c === "[") return "an array";
  if (c === "n") return "null";
  if (c === "t" || c === "f") return "a boolean";
  if (c === "N" || c === "I") return "NaN or Infinity";
  return c >= "!" && c <= "~" ? `"${c}…"` : "an unexpected character";
}

function bad(reader: ElementReader, problem: string): ServeError {
  return new ServeError("invalid_argument", `${reader.path()}: ${problem}`, { reason: "bad_tensor_data" });
}

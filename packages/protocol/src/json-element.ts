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
import { stickyValue } from "./sticky-value.ts";

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
  /** Where the present step ends: a string is read on in the next. */
  until: number;
  /** The string that a step ended in; undefined: none. */
  text: OpenText | undefined;
  /** The field and index path of the element being read, for messages. */
  path(): string;
}

/** A BYTES element whose text is being read. */
interface OpenText {
  /** Where in `out` its length goes. */
  readonly lengthAt: number;
  readonly isBase64: boolean;
}

/** A longer number is cut in messages. */
const MAX_SHOWN_CHARS = 40;

const INTEGER_RANGES: Partial<Record<Datatype, readonly [number, number]>> = {
  BOOL: [0, 1],
  UINT8: [0, 0xff],
  UINT16: [0, 0xffff],
  UINT32: [0, 0xffffffff],
  INT8: [-0x80, 0x7f],
  INT16: [-0x8000, 0x7fff],
  INT32: [-0x80000000, 0x7fffffff],
};

/**
 * Reads the element at `reader.at`, stores it at `out.at` (room for a number was made), and moves both on. False when the step ended inside of
 * it; then the next call reads on.
 */
export function readElement(reader: ElementReader): boolean {
  if (reader.datatype === "BYTES") return readBytesElement(reader);
  const { bytes, at, end, literal } = reader;
  if (!readNumber(bytes, at, end, literal)) {
    readWord(reader);
    return true;
  }
  if (literal.end - at > MAX_NUMBER_CHARS)
    throw bad(reader, `a number has more than ${MAX_NUMBER_CHARS} characters, the most it may have`);
  storeNumber(reader);
  reader.at = literal.end;
  return true;
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
      storeSmallInteger(reader, literal.exact ? literal.value : stickyValue(literalText(reader)));
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
    const whole = literal.exact ? value : stickyValue(literalText(reader));
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
        `${shownLiteral(reader)} is too large to be written with a fraction or exponent; write all its digits`,
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
/** Leaves room for any sane white space in an object with base64 text. */
const MAX_OBJECT_SPACE = 64;

/** Reads a string, or `{"b64": "…"}` for bytes that are no text (TensorFlow Serving's form). */
function readBytesElement(reader: ElementReader): boolean {
  const { bytes, end, out, maxElementBytes } = reader;
  reader.text ??= openText(reader);
  const { lengthAt, isBase64 } = reader.text;
  const next = readString(bytes, { start: reader.at, until: reader.until, end }, out);
  if (next === -1) throw bad(reader, isBase64 ? NOT_BASE64 : "not a valid JSON string");
  const size = out.at - lengthAt - 4;
  if (size > (isBase64 ? Math.ceil(maxElementBytes / 3) * 4 : maxElementBytes)) throw tooLong(reader);
  if (next < 0) {
    reader.at = ~next;
    return false;
  }
  reader.text = undefined;
  reader.at = isBase64 ? closeBase64(reader, lengthAt + 4, next) : next;
  out.setUint32(lengthAt, out.at - lengthAt - 4);
  return true;
}

/** Makes room for the length of the text that begins here and steps over its opening quote. */
function openText(reader: ElementReader): OpenText {
  const { bytes, at, end, out } = reader;
  const lengthAt = out.at;
  const first = at < end ? bytes[at] : 0;
  const isBase64 = first === BRACE;
  if (first !== QUOTE && !isBase64) throw wrongType(reader);
  let quote = 0;
  if (isBase64) {
    const head = asciiText(bytes, at, Math.min(end, at + MAX_OBJECT_SPACE));
    quote = head.indexOf('"', head.indexOf(":"));
    if (head.indexOf(":") < 0 || quote < 0 || !B64_OBJECT.test(head.slice(0, quote + 1)))
      throw bad(reader, NOT_BASE64);
  }
  out.uint32(0);
  reader.at = at + quote + 1;
  return { lengthAt, isBase64 };
}

const NOT_BASE64 = 'an object here must be {"b64": "…"} with valid base64 text';

/** Decodes the text at `from` in place; where the object ends. */
function closeBase64(reader: ElementReader, from: number, textEnd: number): number {
  const { bytes, out } = reader;
  const decoded = decodeBase64(out.bytes.subarray(from, out.at));
  if (decoded === undefined) throw bad(reader, NOT_BASE64);
  const end = Math.min(reader.end, textEnd + MAX_OBJECT_SPACE);
  let next = textEnd;
  while (next < end && bytes[next]! <= 0x20) next++;
  if (next >= end || bytes[next] !== 0x7d) throw bad(reader, NOT_BASE64);
  if (decoded.length > reader.maxElementBytes) throw tooLong(reader);
  out.at = from;
  out.raw(decoded);
  return next + 1;
}

function tooLong(reader: ElementReader): ServeError {
  return bad(reader, `an element is longer than ${reader.maxElementBytes} bytes, the most it may have`);
}

function literalText({ bytes, at, literal }: ElementReader): string {
  return asciiText(bytes, at, literal.end);
}

/** For messages. */
function shownLiteral(reader: ElementReader): string {
  const text = literalText(reader);
  return text.length > MAX_SHOWN_CHARS ? `${text.slice(0, MAX_SHOWN_CHARS)}…` : text;
}

function outOfRange(reader: ElementReader): ServeError {
  return bad(reader, `${shownLiteral(reader)} is out of range for ${reader.datatype}`);
}

function notWhole(reader: ElementReader): ServeError {
  return bad(reader, `${shownLiteral(reader)} is not a whole number; ${reader.datatype} takes integers`);
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

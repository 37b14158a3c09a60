import { ByteWriter } from "./byte-writer.ts";
import { type Datatype, elementBytes } from "./datatype.ts";
import { describeValue, type ElementReader, readElement } from "./json-element.ts";
import { readFloatRun } from "./json-float-run.ts";
import { type NumberLiteral, newNumberLiteral } from "./json-number.ts";
import { ServeError } from "./serve-error.ts";
import { elementCount, type Tensor } from "./tensor.ts";

/** What JSON must be to be a tensor, and what messages call it. */
export interface JsonTensorOptions {
  /** What messages call the data, such as `inputs[0].data`. */
  readonly field: string;
  readonly datatype: Datatype;
  /** The shape announced beside the data, which may then be flat; undefined: the nesting of the data is the shape. */
  readonly shape: readonly number[] | undefined;
  readonly maxRank?: number;
  readonly maxElementBytes?: number;
  /** Memory for the tensor, 8-byte aligned; may hold old contents. Default: `new Uint8Array`, which is slow for small tensors. */
  allocate?(size: number): Uint8Array;
}

const OPEN = 0x5b;
const CLOSE = 0x5d;
const COMMA = 0x2c;
const SPACE = 0x20;

/** What comes next: a value; a value or the end of the array just opened; a comma or the end of an array, or of the text. */
const VALUE = 0;
const FIRST_OR_CLOSE = 1;
const AFTER_VALUE = 2;
type Expected = typeof VALUE | typeof FIRST_OR_CLOSE | typeof AFTER_VALUE;

const MAX_RANK = 16;
const MAX_ELEMENT_BYTES = 1024 * 1024;
const UNKNOWN = -1;
/** Elements that are read one by one at most before it is tried again whether they are plain. */
const MOST_PAUSE = 4096;

/**
 * Decodes the JSON value in `bytes[start, end)` into a tensor: numbers, booleans, strings or `{"b64"}` objects, alone, in one
 * flat array, or nested. Reads the bytes directly, so INT64 and UINT64 keep all their digits, and no array of
 * numbers is ever built. Large texts can be decoded in slices, so that one request does not hold up the others.
 */
export class JsonTensorDecoder implements ElementReader {
  readonly bytes: Uint8Array;
  readonly end: number;
  readonly datatype: Datatype;
  readonly maxElementBytes: number;
  readonly literal: NumberLiteral = newNumberLiteral();
  readonly out: ByteWriter;
  view: DataView;
  at: number;
  until = 0;
  text: ElementReader["text"] = undefined;

  readonly #field: string;
  readonly #shape: readonly number[] | undefined;
  readonly #elementBytes: number;
  readonly #maxRank: number;
  /** How many elements the announced shape has. */
  readonly #expected: number;
  /** From this element on it is worth trying whether numbers are plain. */
  #plainFrom: number;
  #plainPause = 1;
  #expects: Expected = VALUE;
  #count = 0;
  #depth = 0;
  /** Depth at which the elements lie: 0 for a bare value, 1 in a flat array. */
  #leafDepth = UNKNOWN;
  /** `#counts[d]`: items seen so far in the array that is open at depth d. */
  readonly #counts: number[] = [0];
  /** `#dims[d]`: length of every array at depth d, fixed by the first that closed. */
  readonly #dims: number[] = [UNKNOWN];

  /** Throws `invalid_argument` when the shape cannot fit the text, before any memory is taken. */
  constructor(
    bytes: Uint8Array,
    span: { readonly start: number; readonly end: number },
    options: JsonTensorOptions,
  ) {
    this.bytes = bytes;
    this.at = span.start;
    this.end = span.end;
    this.datatype = options.datatype;
    this.maxElementBytes = options.maxElementBytes ?? MAX_ELEMENT_BYTES;
    this.#field = options.field;
    this.#shape = options.shape;
    this.#elementBytes = elementBytes(options.datatype);
    this.#maxRank = options.maxRank ?? MAX_RANK;
    this.#expected = options.shape === undefined ? Number.POSITIVE_INFINITY : elementCount(options.shape);
    // Each element but the last takes two characters at least, so the text bounds the count.
    const possible = Math.floor((span.end - span.start) / 2) + 1;
    if (this.#expected > possible && options.shape !== undefined) {
      throw this.#bad(
        `shape ${showShape(options.shape)} needs ${this.#expected} elements, the data has fewer`,
      );
    }
    const first = Math.min(this.#expected, possible, options.shape === undefined ? 1024 : possible);
    const size = Math.max(this.#elementBytes * first, this.datatype === "BYTES" ? 256 : 0);
    this.#plainFrom = options.datatype === "FP32" ? 0 : Number.POSITIVE_INFINITY;
    this.out = new ByteWriter(size, options.allocate);
    this.view = viewOf(this.out.bytes);
  }

  /** Reads on for about `budget` bytes of text; true when all was read. Throws `invalid_argument` with the index path. */
  step(budget: number = Number.POSITIVE_INFINITY): boolean {
    const until = this.at + budget;
    this.until = until;
    for (;;) {
      // Spaces and strings may go on for longer than a step.
      if (this.text === undefined) this.#skipSpace();
      if (this.at > until && this.at < this.end) return false;
      if (this.#expects === AFTER_VALUE) {
        if (this.#afterValue()) return true;
      } else if (this.#count >= this.#plainFrom && this.#leafDepth === this.#depth && this.#depth > 0) {
        this.#plainNumbers();
      } else if (this.#value()) this.#expects = AFTER_VALUE;
      else if (this.text !== undefined) return false;
    }
  }

  /** The tensor, once `step` returned true; it owns its bytes. Throws `invalid_argument` when it does not have the shape announced. */
  finish(): Tensor {
    const nested = this.#dims.slice(0, this.#leafDepth);
    const shape = this.#shape;
    if (shape === undefined) return { datatype: this.datatype, shape: nested, bytes: this.out.finish() };
    if (this.#count !== this.#expected) {
      throw this.#bad(`shape ${showShape(shape)} needs ${this.#expected} elements, got ${this.#count}`);
    }
    if (nested.length > 1 && !sameButOnes(nested, shape)) {
      throw this.#bad(`is nested as ${showShape(nested)}, but the shape is ${showShape(shape)}`);
    }
    return { datatype: this.datatype, shape, bytes: this.out.finish() };
  }

  path(): string {
    let path = this.#field;
    for (let d = 0; d < this.#depth; d++) path += `[${this.#counts[d]}]`;
    return path;
  }

  /** Opens an array, closes an empty one, or reads an element; true when a value is complete. */
  #value(): boolean {
    const c = this.at < this.end ? this.bytes[this.at] : 0;
    if (c === OPEN) {
      this.#open();
      this.#expects = FIRST_OR_CLOSE;
      return false;
    }
    if (c === CLOSE && this.#expects === FIRST_OR_CLOSE) {
      this.#setLeafDepth();
      this.#close(0);
      return true;
    }
    return this.#element();
  }

  #element(): boolean {
    if (this.text !== undefined) return this.#readOn();
    if (this.#leafDepth !== this.#depth) this.#setLeafDepth();
    if (this.#count === this.#expected) {
      throw this.#bad(`shape ${showShape(this.#shape!)} needs ${this.#expected} elements, the data has more`);
    }
    const { out } = this;
    if (out.at + this.#elementBytes > out.bytes.length) {
      out.reserve(this.#elementBytes);
      this.view = viewOf(out.bytes);
    }
    return this.#readOn();
  }

  /** Reads what can be read the fast way. */
  #plainNumbers(): void {
    const { out } = this;
    const room = Math.floor((out.bytes.length - out.at) / this.#elementBytes);
    const read = readFloatRun(this, Math.min(room, this.#expected - this.#count), this.until);
    this.#count += read;
    this.#counts[this.#depth - 1]! += read;
    if (read > 0) this.#expects = VALUE;
    // The next one is read the slow way, and some more where none was plain.
    this.#plainPause = read === 0 ? Math.min(2 * this.#plainPause, MOST_PAUSE) : 1;
    this.#plainFrom = this.#count + this.#plainPause;
  }

  #readOn(): boolean {
    if (!readElement(this)) return false;
    this.#count++;
    return true;
  }

  #open(): void {
    if (this.#depth === this.#leafDepth)
      throw this.#ragged("an array stands where its neighbours are elements");
    if (this.#depth === this.#maxRank) throw this.#bad(`nested deeper than ${this.#maxRank} dimensions`);
    this.at++;
    this.#counts[this.#depth] = 0;
    this.#dims[this.#depth] ??= UNKNOWN;
    this.#depth++;
  }

  #close(length: number): void {
    this.at++;
    this.#depth--;
    const known = this.#dims[this.#depth]!;
    if (known === UNKNOWN) this.#dims[this.#depth] = length;
    else if (known !== length)
      throw this.#ragged(`has ${length} elements where its neighbours have ${known}`);
  }

  /** Closes an array or steps over the comma after a value; true when the text is complete. */
  #afterValue(): boolean {
    if (this.#depth === 0) {
      if (this.at < this.end) throw this.#bad(`unexpected ${this.#describe()} after the data`);
      return true;
    }
    const c = this.at < this.end ? this.bytes[this.at] : 0;
    if (c === COMMA) {
      this.at++;
      this.#counts[this.#depth - 1]!++;
      this.#expects = VALUE;
    } else if (c === CLOSE) this.#close(this.#counts[this.#depth - 1]! + 1);
    else throw this.#bad(`expected "," or "]" after an element, got ${this.#describe()}`);
    return false;
  }

  #setLeafDepth(): void {
    if (this.#leafDepth === UNKNOWN) this.#leafDepth = this.#depth;
    else if (this.#leafDepth !== this.#depth) {
      throw this.#ragged(`${this.#describe()} stands where its neighbours are arrays`);
    }
  }

  /** To the next byte that is not a space, or a little past the end of the step. */
  #skipSpace(): void {
    const { bytes, until } = this;
    const end = Math.min(this.end, until + 2);
    let { at } = this;
    // JSON's white space; control characters that are none are rejected by the code that reads on.
    while (at < end && bytes[at]! <= SPACE && IS_SPACE[bytes[at]!] === 1) at++;
    this.at = at;
  }

  #describe(): string {
    return describeValue(this.bytes, this.at, this.end);
  }

  #ragged(problem: string): ServeError {
    return new ServeError(
      "invalid_argument",
      `${this.path()}: ${problem}; a tensor's rows must all have the same length`,
      { reason: "ragged_tensor" },
    );
  }

  #bad(problem: string): ServeError {
    const where = this.#depth === 0 ? this.#field : this.path();
    return new ServeError("invalid_argument", `${where}: ${problem}`, { reason: "bad_tensor_data" });
  }
}

const IS_SPACE = new Uint8Array(33);
for (const space of " \t\n\r") IS_SPACE[space.charCodeAt(0)] = 1;

/** Decodes a whole JSON value into a tensor, in one go. */
export function decodeJsonTensor(
  bytes: Uint8Array,
  span: { readonly start: number; readonly end: number },
  options: JsonTensorOptions,
): Tensor {
  const decoder = new JsonTensorDecoder(bytes, span, options);
  decoder.step();
  return decoder.finish();
}

/** Shapes count as the same when they differ in dimensions of size 1 only: row-major bytes do. */
function sameButOnes(a: readonly number[], b: readonly number[]): boolean {
  const left = a.filter((dim) => dim !== 1);
  const right = b.filter((dim) => dim !== 1);
  return left.length === right.length && left.every((dim, i) => dim === right[i]);
}

/** A shape as messages show it: `[1, 8, 8]`. */
export function showShape(shape: readonly number[]): string {
  return `[${shape.join(", ")}]`;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

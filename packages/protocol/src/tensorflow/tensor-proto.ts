import type { Datatype } from "../datatype.ts";
import { elementBytes } from "../datatype.ts";
import type { CodecLimits } from "../grpc/codec-limits.ts";
import { LENGTH, VARINT, WireReader } from "../grpc/wire-reader.ts";
import type { LateWork } from "../grpc/wire-tensor.ts";
import { ServeError } from "../serve-error.ts";
import { elementCount, type NamedTensor } from "../tensor.ts";

/** `tensorflow.DataType` by number. */
export const DATATYPE_OF: Readonly<Record<number, Datatype>> = {
  1: "FP32",
  2: "FP64",
  3: "INT32",
  4: "UINT8",
  5: "INT16",
  6: "INT8",
  7: "BYTES",
  9: "INT64",
  10: "BOOL",
  14: "BF16",
  17: "UINT16",
  19: "FP16",
  22: "UINT32",
  23: "UINT64",
};

/** The field of a TensorProto that holds the elements of each datatype. */
export const FIELD_OF: Readonly<Record<Datatype, number>> = {
  FP32: 5,
  FP64: 6,
  INT32: 7,
  INT16: 7,
  INT8: 7,
  UINT8: 7,
  UINT16: 7,
  BYTES: 8,
  INT64: 10,
  BOOL: 11,
  FP16: 13,
  BF16: 13,
  UINT32: 16,
  UINT64: 17,
};

const CONTENT_FIELD = 4;
/** Elements between two pauses. */
const PAUSE = 4096;
const EMPTY = new Uint8Array(0);

interface TensorParts {
  readonly dims: number[];
  type: number;
  content: Uint8Array | undefined;
  /** Start and end of each packed run, or of each single element, by turns; of the field `valuesField`. */
  readonly runs: number[];
  valuesField: number;
}

/** How a tensor that was read gets its bytes. */
export interface TensorReading {
  readonly limits: CodecLimits;
  /** The most bytes that a tensor may become; its last element may stand for many. */
  readonly maxBytes: number;
  /** Takes what is left to do. Default: all is done at once. */
  readonly late: LateWork[] | undefined;
}

/** Reads a TensorProto up to `end`. Bytes are a view on the message where it holds them. Throws `invalid_argument`. */
export function readTensorProto(
  reader: WireReader,
  end: number,
  { name, ...how }: TensorReading & { readonly name: string },
): NamedTensor {
  const parts: TensorParts = { dims: [], type: 0, content: undefined, runs: [], valuesField: 0 };
  for (let tag = reader.tag(end); tag !== 0; tag = reader.tag(end))
    readField(reader, tag, { end, parts, name, how });
  const datatype = DATATYPE_OF[parts.type];
  if (datatype === undefined) {
    throw new ServeError(
      "invalid_argument",
      `input "${name}": its dtype ${parts.type} is not one that models take here`,
      {
        reason: "bad_datatype",
      },
    );
  }
  const tensor = { name, datatype, shape: parts.dims, bytes: EMPTY as Uint8Array };
  fill(reader, parts, { tensor, how });
  return tensor;
}

interface FieldReading {
  readonly end: number;
  readonly parts: TensorParts;
  readonly name: string;
  readonly how: TensorReading;
}

function readField(reader: WireReader, tag: number, { end, parts, name, how }: FieldReading): void {
  const field = tag >>> 3;
  if (tag === ((1 << 3) | VARINT)) {
    reader.varint(end);
    parts.type = reader.lo;
  } else if (tag === ((2 << 3) | LENGTH)) readShape(reader, reader.enter(end), { parts, name, how });
  else if (tag === ((CONTENT_FIELD << 3) | LENGTH)) parts.content = reader.span(end);
  else if (field >= 5 && field <= 17) {
    const wire = tag & 7;
    if (parts.valuesField !== 0 && parts.valuesField !== field)
      throw wrong(name, "its elements are in more than one field");
    parts.valuesField = field;
    if (wire === LENGTH) {
      const stop = reader.enter(end);
      parts.runs.push(reader.pos, stop);
      reader.pos = stop;
    } else {
      const start = reader.pos;
      reader.skip(tag, end);
      parts.runs.push(start, reader.pos);
    }
  } else reader.skip(tag, end);
}

function readShape(
  reader: WireReader,
  end: number,
  { parts, name, how }: Pick<FieldReading, "parts" | "name" | "how">,
): void {
  for (let tag = reader.tag(end); tag !== 0; tag = reader.tag(end)) {
    if (tag === ((3 << 3) | VARINT)) {
      reader.varint(end);
      if (reader.lo !== 0) throw wrong(name, "its rank is not known");
      continue;
    }
    if (tag !== ((2 << 3) | LENGTH)) {
      reader.skip(tag, end);
      continue;
    }
    const stop = reader.enter(end);
    let size: number | bigint = 0;
    for (let inner = reader.tag(stop); inner !== 0; inner = reader.tag(stop)) {
      if (inner !== ((1 << 3) | VARINT)) reader.skip(inner, stop);
      else {
        reader.varint(stop);
        size = reader.int64();
      }
    }
    if (typeof size === "bigint" || size < 0) throw wrong(name, `${size} is not a size`);
    parts.dims.push(size);
    if (parts.dims.length > how.limits.maxDims)
      throw wrong(name, `it has more than ${how.limits.maxDims} dimensions`);
  }
}

interface Filling {
  readonly tensor: NamedTensor & { bytes: Uint8Array };
  readonly how: TensorReading;
}

/** Gives the tensor its bytes, now or later. */
function fill(reader: WireReader, parts: TensorParts, { tensor, how }: Filling): void {
  const { name, datatype, shape } = tensor;
  const count = elementCount(shape);
  const width = elementBytes(datatype);
  if (!(count * Math.max(width, 1) <= how.maxBytes))
    throw wrong(name, `its shape has ${count} elements, too many for a message`);
  const { content, runs, valuesField } = parts;
  if (content !== undefined && content.length > 0 && datatype !== "BYTES") {
    tensor.bytes = content;
    return;
  }
  if (valuesField !== 0 && valuesField !== FIELD_OF[datatype])
    throw wrong(name, `its elements are not in the field of its dtype (${FIELD_OF[datatype]})`);
  if (datatype !== "BYTES" && width > 0 && isWholeRun(parts, count * width)) {
    tensor.bytes = reader.bytes.subarray(runs[0]!, runs[1]!);
    return;
  }
  const packing =
    datatype === "BYTES"
      ? packTexts(reader.bytes, runs, { count, name, how })
      : packNumbers(new WireReader(reader.bytes), runs, { datatype, count, name });
  const work: LateWork = {
    step(amount) {
      for (let left = amount; left > 0; left -= PAUSE) {
        const { done, value } = packing.next();
        if (done !== true) continue;
        tensor.bytes = value;
        return true;
      }
      return false;
    },
  };
  if (how.late !== undefined && reader.bytes.length > PAUSE) how.late.push(work);
  else while (!work.step(Number.MAX_SAFE_INTEGER));
}

/** Floats in one packed run are what a tensor has in memory. */
function isWholeRun({ runs, valuesField }: TensorParts, size: number): boolean {
  return (valuesField === 5 || valuesField === 6) && runs.length === 2 && runs[1]! - runs[0]! === size;
}

interface NumberPacking {
  readonly datatype: Datatype;
  readonly count: number;
  readonly name: string;
}

/** Elements one by one; the last one goes on to the end of the shape. */
function* packNumbers(
  reader: WireReader,
  runs: readonly number[],
  { datatype, count, name }: NumberPacking,
): Generator<void, Uint8Array, void> {
  const width = elementBytes(datatype);
  const bytes = new Uint8Array(count * width);
  const view = new DataView(bytes.buffer);
  const field = FIELD_OF[datatype];
  let at = 0;
  for (let i = 0; i < runs.length; i += 2) {
    reader.pos = runs[i]!;
    const end = runs[i + 1]!;
    while (reader.pos < end) {
      if (at === bytes.length) throw wrong(name, `it has more elements than its shape, ${count}`);
      if (field === 5) view.setUint32(at, reader.fixed32(end), true);
      else if (field === 6) view.setFloat64(at, reader.float64(end), true);
      else {
        reader.varint(end);
        storeInteger(view, at, { datatype, reader, name });
      }
      at += width;
      if ((at / width) % PAUSE === 0) yield;
    }
  }
  if (at === 0 && count > 0) throw wrong(name, "it has no elements");
  // What is there is copied behind itself, twice as much each time.
  for (let to = at, length = width; at > 0 && to < bytes.length; ) {
    const more = Math.min(length, bytes.length - to);
    bytes.copyWithin(to, at - width, at - width + more);
    to += more;
    length += more;
  }
  return bytes;
}

const RANGES: Partial<Readonly<Record<Datatype, readonly [number, number]>>> = {
  INT8: [-0x80, 0x7f],
  INT16: [-0x8000, 0x7fff],
  INT32: [-0x80000000, 0x7fffffff],
  UINT8: [0, 0xff],
  UINT16: [0, 0xffff],
  UINT32: [0, 0xffffffff],
  FP16: [0, 0xffff],
  BF16: [0, 0xffff],
  BOOL: [0, 1],
};

interface Storing {
  readonly datatype: Datatype;
  readonly reader: WireReader;
  readonly name: string;
}

function storeInteger(view: DataView, at: number, { datatype, reader, name }: Storing): void {
  if (datatype === "INT64" || datatype === "UINT64") {
    view.setUint32(at, reader.lo, true);
    view.setUint32(at + 4, reader.hi, true);
    return;
  }
  const value = datatype === "BOOL" ? Number(reader.lo !== 0 || reader.hi !== 0) : reader.int64();
  const [least, most] = RANGES[datatype]!;
  if (typeof value === "bigint" || value < least || value > most) {
    throw new ServeError("invalid_argument", `input "${name}": ${value} does not fit ${datatype}`, {
      reason: "out_of_range",
    });
  }
  const width = elementBytes(datatype);
  if (width === 1) view.setUint8(at, value);
  else if (width === 2) view.setUint16(at, value, true);
  else view.setUint32(at, value, true);
}

/** Texts with their lengths before them. */
function* packTexts(
  message: Uint8Array,
  runs: readonly number[],
  { count, name, how }: { readonly count: number; readonly name: string; readonly how: TensorReading },
): Generator<void, Uint8Array, void> {
  const given = runs.length / 2;
  if (given > count) throw wrong(name, `it has more elements than its shape, ${count}`);
  if (given === 0 && count > 0) throw wrong(name, "it has no elements");
  let size = 4 * count;
  for (let i = 0; i < runs.length; i += 2) size += runs[i + 1]! - runs[i]!;
  if (given > 0) size += (count - given) * (runs.at(-1)! - runs.at(-2)!);
  if (size > how.maxBytes)
    throw wrong(name, `its ${count} elements have ${size} bytes, too many for a message`);
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (let i = 0; i < count; i++) {
    const run = Math.min(i, given - 1) * 2;
    const element = message.subarray(runs[run]!, runs[run + 1]!);
    view.setUint32(at, element.length, true);
    bytes.set(element, at + 4);
    at += 4 + element.length;
    if (i % PAUSE === PAUSE - 1) yield;
  }
  return bytes;
}

function wrong(name: string, problem: string): ServeError {
  return new ServeError("invalid_argument", `input "${name}": ${problem}`, { reason: "bad_tensor_data" });
}

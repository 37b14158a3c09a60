import { type Datatype, elementBytes } from "../datatype.ts";
import { ServeError } from "../serve-error.ts";
import type { CodecLimits } from "./codec-limits.ts";
import { FIXED32, FIXED64, LENGTH, VARINT, type WireReader } from "./wire-reader.ts";

/** Field of InferTensorContents (and of sconce.v1.TensorContents) for each datatype; 0: raw only. */
const FIELD_OF: Readonly<Record<Datatype, number>> = {
  BOOL: 1,
  INT8: 2,
  INT16: 2,
  INT32: 2,
  INT64: 3,
  UINT8: 4,
  UINT16: 4,
  UINT32: 4,
  UINT64: 5,
  FP32: 6,
  FP64: 7,
  BYTES: 8,
  FP16: 0,
  BF16: 0,
};

const NAME_OF = ["", "bool", "int", "int64", "uint", "uint64", "fp32", "fp64", "bytes"];
const WIRE_TYPE_OF = [0, VARINT, VARINT, VARINT, VARINT, VARINT, FIXED32, FIXED64, LENGTH];

/** Smallest and largest value of the integer datatypes that travel in a wider field. */
const RANGE_OF: Partial<Readonly<Record<Datatype, readonly [number, number]>>> = {
  INT8: [-0x80, 0x7f],
  INT16: [-0x8000, 0x7fff],
  UINT8: [0, 0xff],
  UINT16: [0, 0xffff],
};

/** Where a tensor's contents lie: pairs of start and end offsets in the message, because a protobuf field may come in pieces. */
export type Spans = readonly number[];

/** Elements, or bytes, between two pauses that packing offers. */
const PAUSE = 4096;

/** Something under way that pauses every few thousand elements. */
export type Packing = Generator<void, Uint8Array, void>;

/**
 * Packs the typed contents of a tensor to little-endian bytes, in as many steps as its caller likes. A single packed run of floats is a
 * view on the message, no copy. Throws `invalid_argument` when the filled field does not belong to the datatype or a value does not
 * fit it. The reader must be nobody else's until the end.
 */
export function* packContents(
  reader: WireReader,
  spans: Spans,
  tensor: { readonly name: string; readonly datatype: Datatype },
  limits: CodecLimits,
): Packing {
  const field = FIELD_OF[tensor.datatype];
  const runs = yield* elementRuns(reader, spans, field, tensor);
  if (tensor.datatype === "BYTES") return yield* packByteElements(reader, runs, tensor, limits);
  if (field === 6 || field === 7)
    return yield* packFloats(reader, runs, elementBytes(tensor.datatype), tensor);
  return yield* packIntegers(reader, runs, tensor);
}

/** Packs to the end. */
export function packedAtOnce(packing: Packing): Uint8Array {
  for (;;) {
    const { done, value } = packing.next();
    if (done === true) return value;
  }
}

/** The runs of elements in `spans`: start and end of each packed block or of each single element. */
function* elementRuns(
  reader: WireReader,
  spans: Spans,
  field: number,
  tensor: { readonly name: string; readonly datatype: Datatype },
): Generator<void, number[], void> {
  const runs: number[] = [];
  for (let i = 0; i < spans.length; i += 2) {
    const end = spans[i + 1]!;
    reader.pos = spans[i]!;
    for (let tag = reader.tag(end); tag !== 0; tag = reader.tag(end)) {
      const number = tag >>> 3;
      const wireType = tag & 7;
      if (reader.fields > PAUSE) {
        reader.fields = 0;
        yield;
      }
      if (number > 8) {
        reader.skip(tag, end);
        continue;
      }
      if (number !== field) throw wrongField(tensor, number, field);
      if (wireType === LENGTH) {
        const stop = reader.enter(end);
        runs.push(reader.pos, stop);
        reader.pos = stop;
      } else if (wireType === WIRE_TYPE_OF[field]) {
        const start = reader.pos;
        reader.skip(tag, end);
        runs.push(start, reader.pos);
      } else reader.skip(tag, end);
    }
  }
  return runs;
}

function wrongField(
  tensor: { readonly name: string; readonly datatype: Datatype },
  found: number,
  expected: number,
): ServeError {
  const advice =
    expected === 0
      ? "this datatype has no typed contents: send it raw"
      : `put them in ${NAME_OF[expected]}_contents`;
  return new ServeError(
    "invalid_argument",
    `input "${tensor.name}" is ${tensor.datatype} but its elements are in ${NAME_OF[found]}_contents; ${advice}`,
    { reason: "wrong_contents" },
  );
}

function* packFloats(
  reader: WireReader,
  runs: Spans,
  width: number,
  tensor: { readonly name: string },
): Packing {
  let total = 0;
  for (let i = 0; i < runs.length; i += 2) {
    const length = runs[i + 1]! - runs[i]!;
    if (length % width !== 0) {
      throw new ServeError("invalid_argument", `input "${tensor.name}": its contents end inside an element`, {
        reason: "malformed_message",
      });
    }
    total += length;
    if (i % PAUSE === 0) yield;
  }
  if (runs.length === 2) return reader.bytes.subarray(runs[0]!, runs[1]!);
  const out = new Uint8Array(total);
  let at = 0;
  for (let i = 0; i < runs.length; i += 2) {
    out.set(reader.bytes.subarray(runs[i]!, runs[i + 1]!), at);
    at += runs[i + 1]! - runs[i]!;
    if (i % PAUSE === 0) yield;
  }
  return out;
}

function* countVarints(bytes: Uint8Array, runs: Spans): Generator<void, number, void> {
  let count = 0;
  let pauseIn = PAUSE;
  for (let i = 0; i < runs.length; i += 2) {
    for (let at = runs[i]!; at < runs[i + 1]!; at++) {
      if (bytes[at]! < 0x80) count++;
      if (--pauseIn > 0) continue;
      pauseIn = PAUSE;
      yield;
    }
  }
  return count;
}

function* packIntegers(
  reader: WireReader,
  runs: Spans,
  tensor: { readonly name: string; readonly datatype: Datatype },
): Packing {
  const width = elementBytes(tensor.datatype);
  const count = yield* countVarints(reader.bytes, runs);
  const out = new Uint8Array(count * width);
  let pauseIn = PAUSE;
  const view = new DataView(out.buffer);
  const range = RANGE_OF[tensor.datatype];
  let at = 0;
  for (let i = 0; i < runs.length; i += 2) {
    const end = runs[i + 1]!;
    reader.pos = runs[i]!;
    while (reader.pos < end) {
      reader.varint(end);
      // A varint field narrower than 64 bits keeps the low bits, as every protobuf parser does.
      const low = tensor.datatype.startsWith("U") ? reader.lo : reader.lo | 0;
      if (range !== undefined && (low < range[0] || low > range[1])) throw outOfRange(tensor, low);
      writeInteger(view, at, width, reader, tensor.datatype === "BOOL");
      at += width;
      if (--pauseIn > 0) continue;
      pauseIn = PAUSE;
      yield;
    }
  }
  return out;
}

function writeInteger(view: DataView, at: number, width: number, reader: WireReader, isBool: boolean): void {
  switch (width) {
    case 1:
      view.setUint8(at, isBool ? (reader.lo !== 0 || reader.hi !== 0 ? 1 : 0) : reader.lo);
      return;
    case 2:
      view.setUint16(at, reader.lo, true);
      return;
    case 4:
      view.setUint32(at, reader.lo, true);
      return;
    default:
      view.setUint32(at, reader.lo, true);
      view.setUint32(at + 4, reader.hi, true);
  }
}

function outOfRange(
  tensor: { readonly name: string; readonly datatype: Datatype },
  value: number,
): ServeError {
  return new ServeError(
    "invalid_argument",
    `input "${tensor.name}": ${value} does not fit ${tensor.datatype}`,
    {
      reason: "out_of_range",
    },
  );
}

function* packByteElements(
  reader: WireReader,
  runs: Spans,
  tensor: { readonly name: string },
  limits: CodecLimits,
): Packing {
  let total = 0;
  for (let i = 0; i < runs.length; i += 2) {
    const length = runs[i + 1]! - runs[i]!;
    if (length > limits.maxElementBytes) {
      throw new ServeError(
        "invalid_argument",
        `input "${tensor.name}" has an element of ${length} bytes; at most ${limits.maxElementBytes} are allowed`,
        { reason: "limit_exceeded" },
      );
    }
    total += 4 + length;
    if (i % PAUSE === 0) yield;
  }
  const out = new Uint8Array(total);
  const view = new DataView(out.buffer);
  let at = 0;
  for (let i = 0; i < runs.length; i += 2) {
    view.setUint32(at, runs[i + 1]! - runs[i]!, true);
    out.set(reader.bytes.subarray(runs[i]!, runs[i + 1]!), at + 4);
    at += 4 + runs[i + 1]! - runs[i]!;
    // Elements may be as long as a MiB.
    if (i % 64 === 0) yield;
  }
  return out;
}

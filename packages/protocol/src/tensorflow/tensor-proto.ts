import type { Datatype } from "../datatype.ts";
import { elementBytes } from "../datatype.ts";
import type { CodecLimits } from "../grpc/codec-limits.ts";
import { LENGTH, VARINT, WireReader } from "../grpc/wire-reader.ts";
import type { LateWork } from "../grpc/wire-tensor.ts";
import { ServeError } from "../serve-error.ts";
import { elementCount, type NamedTensor } from "../tensor.ts";
import { FIELD_OF, PAUSE, packNumbers, packTexts, wrong } from "./tensor-elements.ts";

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

const CONTENT_FIELD = 4;

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
      ? packTexts(reader.bytes, runs, { count, name, maxBytes: how.maxBytes })
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

import type { Datatype } from "../datatype.ts";
import { elementBytes } from "../datatype.ts";
import type { WireReader } from "../grpc/wire-reader.ts";
import { ServeError } from "../serve-error.ts";

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

/** Elements between two pauses. */
export const PAUSE = 4096;

interface NumberPacking {
  readonly datatype: Datatype;
  readonly count: number;
  readonly name: string;
}

/** Elements one by one; the last one goes on to the end of the shape. */
export function* packNumbers(
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
export function* packTexts(
  message: Uint8Array,
  runs: readonly number[],
  { count, name, maxBytes }: { readonly count: number; readonly name: string; readonly maxBytes: number },
): Generator<void, Uint8Array, void> {
  const given = runs.length / 2;
  if (given > count) throw wrong(name, `it has more elements than its shape, ${count}`);
  if (given === 0 && count > 0) throw wrong(name, "it has no elements");
  let size = 4 * count;
  for (let i = 0; i < runs.length; i += 2) size += runs[i + 1]! - runs[i]!;
  if (given > 0) size += (count - given) * (runs.at(-1)! - runs.at(-2)!);
  if (size > maxBytes) throw wrong(name, `its ${count} elements have ${size} bytes, too many for a message`);
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

/** An input whose TensorProto does not hold what it says. */
export function wrong(name: string, problem: string): ServeError {
  return new ServeError("invalid_argument", `input "${name}": ${problem}`, { reason: "bad_tensor_data" });
}

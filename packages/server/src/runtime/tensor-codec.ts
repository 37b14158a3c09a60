import { type ReasonOf, ServeError } from "../base/errors.ts";
import type { RunInput } from "../base/run.ts";
import { type Datatype, elementBytes, elementCount, type Tensor } from "../base/tensor.ts";

/**
 * Tensors between the server process and a worker. The header says what they are, the payload is their bytes one after another, each tensor
 * beginning at a multiple of 8:
 *
 *     0  u32  tensors            per tensor   0  u8   datatype        4  u32  bytes, low half
 *     4  u32  zero                            1  u8   rank            8  u32  bytes, high half
 *     8  f64  compute ms                      2  u16  zero           12  u32  size of each dimension
 *
 * All numbers are little-endian.
 */
export interface EncodedTensors {
  readonly header: Uint8Array;
  /** The payload in pieces: the given chunks themselves, and padding. */
  readonly chunks: Uint8Array[];
}

const HEAD_BYTES = 16;
const TENSOR_BYTES = 12;
const MAX_TENSORS = 4096;
const MAX_RANK = 64;

const CODES: Readonly<Record<Datatype, number>> = {
  BOOL: 1,
  UINT8: 2,
  UINT16: 3,
  UINT32: 4,
  UINT64: 5,
  INT8: 6,
  INT16: 7,
  INT32: 8,
  INT64: 9,
  FP16: 10,
  BF16: 11,
  FP32: 12,
  FP64: 13,
  BYTES: 14,
};

const DATATYPE_OF: readonly (Datatype | undefined)[] = (() => {
  const table: (Datatype | undefined)[] = [];
  for (const [datatype, code] of Object.entries(CODES)) table[code] = datatype as Datatype;
  return table;
})();

const PADDINGS: readonly Uint8Array[] = Array.from({ length: 8 }, (_, length) => new Uint8Array(length));

/** Describes tensors given in pieces; copies no tensor bytes. `computeMs` is 0 in a question. */
export function encodeTensors(tensors: readonly RunInput[], computeMs: number): EncodedTensors {
  let size = HEAD_BYTES;
  for (let i = 0; i < tensors.length; i++) size += TENSOR_BYTES + 4 * tensors[i]!.shape.length;
  const header = Buffer.allocUnsafe(size);
  const view = new DataView(header.buffer, header.byteOffset, size);
  view.setUint32(0, tensors.length, true);
  view.setUint32(4, 0, true);
  view.setFloat64(8, computeMs, true);
  const chunks: Uint8Array[] = [];
  let at = HEAD_BYTES;
  for (let i = 0; i < tensors.length; i++) {
    const tensor = tensors[i]!;
    let bytes = 0;
    for (let c = 0; c < tensor.chunks.length; c++) {
      chunks.push(tensor.chunks[c]!);
      bytes += tensor.chunks[c]!.byteLength;
    }
    const rest = bytes % 8;
    if (rest !== 0) chunks.push(PADDINGS[8 - rest]!);
    at = writeTensorHead(view, at, tensor, bytes);
  }
  return { header, chunks };
}

function writeTensorHead(view: DataView, start: number, tensor: RunInput, bytes: number): number {
  const { shape } = tensor;
  view.setUint32(start, CODES[tensor.datatype] | (shape.length << 8), true);
  view.setUint32(start + 4, bytes % 2 ** 32, true);
  view.setUint32(start + 8, Math.floor(bytes / 2 ** 32), true);
  let at = start + TENSOR_BYTES;
  for (let d = 0; d < shape.length; d++, at += 4) view.setUint32(at, shape[d]!, true);
  return at;
}

export interface DecodedTensors {
  /** Views on the payload. */
  readonly tensors: Tensor[];
  readonly computeMs: number;
}

/**
 * Cuts a payload into tensors without copying. Throws a ServeError made by `fail` when header and payload do not agree; a tensor's byte
 * length always fits its shape afterwards (BYTES excepted, whose elements have lengths of their own).
 */
export function decodeTensors(
  header: Uint8Array,
  payload: Uint8Array,
  fail: (what: string) => ServeError,
): DecodedTensors {
  if (header.byteLength < HEAD_BYTES) throw fail("its header is too short");
  const view = new DataView(header.buffer, header.byteOffset, header.byteLength);
  const count = view.getUint32(0, true);
  if (count > MAX_TENSORS) throw fail(`it has ${count} tensors`);
  const tensors: Tensor[] = [];
  let at = HEAD_BYTES;
  let offset = 0;
  for (let i = 0; i < count; i++) {
    if (at + TENSOR_BYTES > header.byteLength) throw fail("its header is too short");
    const datatype = DATATYPE_OF[view.getUint8(at)];
    const rank = view.getUint8(at + 1);
    const bytes = view.getUint32(at + 4, true) + view.getUint32(at + 8, true) * 2 ** 32;
    at += TENSOR_BYTES;
    if (datatype === undefined || rank > MAX_RANK || at + 4 * rank > header.byteLength)
      throw fail("its header is malformed");
    const shape: number[] = [];
    for (let d = 0; d < rank; d++, at += 4) shape.push(view.getUint32(at, true));
    if (offset + bytes > payload.byteLength) throw fail("it is shorter than its tensors");
    const width = elementBytes(datatype);
    if (width !== 0 && elementCount(shape) * width !== bytes)
      throw fail(`a tensor of shape [${shape}] has ${bytes} bytes`);
    tensors.push({ datatype, shape, bytes: payload.subarray(offset, offset + bytes) });
    offset += bytes + ((8 - (bytes % 8)) % 8);
  }
  return { tensors, computeMs: view.getFloat64(8, true) };
}

/** For `decodeTensors`: an error of the given reason. */
export function tensorFailure(reason: ReasonOf<"internal">, subject: string): (what: string) => ServeError {
  return (what) => new ServeError("internal", `${subject} cannot be read: ${what}`, { reason });
}

import type { ByteSource } from "../byte-source.ts";
import { BYTE_WIDTHS, type DType } from "../dtype.ts";
import { ModelFileError } from "../errors.ts";
import { checkJsonKeys } from "./json-keys.ts";
import { contiguousStrides, elementCount, rangeStorage, type StoredTensor } from "./stored-tensor.ts";

/** Limits of a safetensors file. Every one throws ModelFileError("limit") when passed. */
export interface SafetensorsLimits {
  /** Bytes of the JSON header, checked before it is read. Default 16 MiB. */
  readonly maxHeaderBytes: number;
  /** Default 100,000. */
  readonly maxTensors: number;
}

export const SAFETENSORS_LIMITS: SafetensorsLimits = { maxHeaderBytes: 16 * 2 ** 20, maxTensors: 100_000 };

/** Tensors by name, and the free text beside them. */
export interface Safetensors {
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly metadata: ReadonlyMap<string, string>;
}

const DTYPE_NAMES: ReadonlyMap<string, DType> = new Map<string, DType>([
  ["BOOL", "bool"],
  ["U8", "uint8"],
  ["I8", "int8"],
  ["I16", "int16"],
  ["U16", "uint16"],
  ["F16", "float16"],
  ["BF16", "bfloat16"],
  ["I32", "int32"],
  ["U32", "uint32"],
  ["F32", "float32"],
  ["F64", "float64"],
  ["I64", "int64"],
  ["U64", "uint64"],
  ["C64", "complex64"],
  ["F8_E4M3", "float8_e4m3fn"],
  ["F8_E5M2", "float8_e5m2"],
  ["F8_E8M0", "float8_e8m0fnu"],
]);

/** Whether a source looks like safetensors: a header length that fits, and a JSON object after it. */
export function isSafetensors(source: ByteSource): boolean {
  if (source.byteLength < 10) return false;
  const head = source.read(0, 9);
  const length = new DataView(head.buffer, head.byteOffset, 8).getBigUint64(0, true);
  return length >= 2n && length <= BigInt(source.byteLength - 8) && head[8] === 0x7b;
}

/**
 * Reads a safetensors file: `u64 header length, JSON header, payload`, where the tensors tile the payload without holes or overlaps
 * (the format's README, "Format"). Only the header is read. Throws ModelFileError.
 */
export function readSafetensors(source: ByteSource, limits?: Partial<SafetensorsLimits>): Safetensors {
  const bounds: SafetensorsLimits = { ...SAFETENSORS_LIMITS, ...limits };
  const { header, payload } = readHeader(source, bounds);
  const tensors = new Map<string, StoredTensor>();
  const metadata = new Map<string, string>();
  const ranges: [number, number][] = [];
  for (const [name, entry] of Object.entries(header)) {
    if (name === "__metadata__") {
      readMetadata(entry, metadata);
      continue;
    }
    if (tensors.size >= bounds.maxTensors) {
      throw new ModelFileError("limit", `the file has more than ${bounds.maxTensors} tensors`);
    }
    const { dtype, shape, begin, end } = readEntry(name, entry);
    if (end > source.byteLength - payload) throw bad(name, "lies past the file's end: the file is truncated");
    ranges.push([begin, end]);
    const storage = rangeStorage(source, { offset: payload + begin, byteLength: end - begin });
    tensors.set(name, { dtype, shape, strides: contiguousStrides(shape), storageOffset: 0, storage });
  }
  checkTiling(ranges, source.byteLength - payload);
  return { tensors, metadata };
}

function readHeader(
  source: ByteSource,
  { maxHeaderBytes }: SafetensorsLimits,
): { header: Record<string, unknown>; payload: number } {
  if (source.byteLength < 8) throw new ModelFileError("corrupt", "the file is too short for safetensors");
  const head = source.read(0, 8);
  const length = new DataView(head.buffer, head.byteOffset, 8).getBigUint64(0, true);
  if (length > BigInt(source.byteLength - 8)) {
    throw new ModelFileError(
      "corrupt",
      "the safetensors header is longer than the file: the file is truncated",
    );
  }
  if (length > BigInt(maxHeaderBytes)) {
    throw new ModelFileError(
      "limit",
      `the safetensors header has ${length} bytes; the limit is ${maxHeaderBytes}`,
    );
  }
  const text = decode(source.read(8, Number(length)));
  checkJsonKeys(text, { maxDepth: 8 });
  return { header: parseObject(text), payload: 8 + Number(length) };
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    throw new ModelFileError("corrupt", "the safetensors header is not UTF-8", { cause: error });
  }
}

function parseObject(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new ModelFileError("corrupt", "the safetensors header is not JSON", { cause: error });
  }
  if (isRecord(value)) return value;
  throw new ModelFileError("corrupt", "the safetensors header is not a JSON object");
}

interface Entry {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

function readEntry(name: string, entry: unknown): Entry {
  if (!isRecord(entry)) throw bad(name, "has no description");
  const { dtype: dtypeName, shape, data_offsets: offsets } = entry;
  if (typeof dtypeName !== "string" || !isNaturals(shape) || !isNaturals(offsets) || offsets.length !== 2) {
    throw bad(name, "has a broken description");
  }
  const dtype = DTYPE_NAMES.get(dtypeName);
  if (dtype === undefined) {
    throw new ModelFileError(
      "unsupported",
      `tensor '${shorten(name)}' has the dtype ${JSON.stringify(shorten(dtypeName))}`,
    );
  }
  const [begin, end] = offsets as [number, number];
  if (end - begin !== elementCount(shape) * BYTE_WIDTHS[dtype])
    throw bad(name, "has another size than its shape says");
  return { dtype, shape, begin, end };
}

function checkTiling(ranges: [number, number][], byteLength: number): void {
  ranges.sort(([a, aEnd], [b, bEnd]) => a - b || aEnd - bEnd);
  let at = 0;
  for (const [begin, end] of ranges) {
    if (begin !== at) throw new ModelFileError("corrupt", "the safetensors payload has holes or overlaps");
    at = end;
  }
  if (at !== byteLength)
    throw new ModelFileError("corrupt", "the safetensors payload is longer than its tensors");
}

function readMetadata(entry: unknown, metadata: Map<string, string>): void {
  if (!isRecord(entry)) throw new ModelFileError("corrupt", "the safetensors metadata is not an object");
  for (const [key, value] of Object.entries(entry)) {
    if (typeof value !== "string")
      throw new ModelFileError("corrupt", "the safetensors metadata is not text");
    metadata.set(key, value);
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isNaturals(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0);
}

function bad(name: string, what: string): ModelFileError {
  return new ModelFileError("corrupt", `tensor '${shorten(name)}' of the safetensors file ${what}`);
}

function shorten(text: string): string {
  return text.length <= 120 ? text : `${text.slice(0, 117)}...`;
}

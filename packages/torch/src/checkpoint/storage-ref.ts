import type { TensorStorage } from "../archive/stored-tensor.ts";
import { BYTE_WIDTHS, type DType } from "../dtype.ts";
import { ModelFileError } from "../errors.ts";
import { asNode, itemsOf, type PickleValue } from "./pickle-value.ts";

/** What a pickle says about a storage that lies outside it. */
export interface StorageRef {
  readonly key: string;
  /** Undefined for an untyped storage: the tensor says its dtype. */
  readonly dtype: DType | undefined;
  /** Elements (bytes when untyped). */
  readonly count: number;
  /** Elements to skip: only files of the oldest layout have views of storages. */
  readonly viewOffset: number;
}

/** Finds the bytes of a storage; the same key always answers the same object. Throws ModelFileError. */
export type StorageTable = (ref: StorageRef) => TensorStorage;

const STORAGE_DTYPES: ReadonlyMap<string, DType | undefined> = new Map<string, DType | undefined>([
  ["FloatStorage", "float32"],
  ["DoubleStorage", "float64"],
  ["HalfStorage", "float16"],
  ["BFloat16Storage", "bfloat16"],
  ["ByteStorage", "uint8"],
  ["CharStorage", "int8"],
  ["ShortStorage", "int16"],
  ["IntStorage", "int32"],
  ["LongStorage", "int64"],
  ["BoolStorage", "bool"],
  ["ComplexHalfStorage", "complex32"],
  ["ComplexFloatStorage", "complex64"],
  ["ComplexDoubleStorage", "complex128"],
  ["UntypedStorage", undefined],
]);

/** Classes whose storages lie outside a pickle: `torch.FloatStorage`, `torch.cuda.FloatStorage`, `torch.storage.UntypedStorage`. */
const STORAGE_PATH = /^torch\.(?:cuda\.|storage\.)?([A-Za-z0-9]+Storage)$/;

/** Bytes per element of the storages that no dtype of ours has: to skip them where they lie between others. */
const QUANTIZED_WIDTHS: ReadonlyMap<string, number> = new Map([
  ["QInt8Storage", 1],
  ["QUInt8Storage", 1],
  ["QInt32Storage", 4],
  ["QUInt4x2Storage", 1],
  ["QUInt2x4Storage", 1],
]);

interface StorageId {
  readonly key: string;
  readonly path: string;
  /** The class without its module; empty when it is not a storage class. */
  readonly className: string;
  readonly count: number;
  readonly view: PickleValue | undefined;
}

/** A storage's persistent id: `("storage", class, key, location, count[, view])` (torch/serialization.py). */
function storageId(value: PickleValue | undefined): StorageId | undefined {
  const [tag, type, key, , count, view] = itemsOf(asNode(value, "persistent")?.id) ?? [];
  if (tag !== "storage" || typeof key !== "string" || typeof count !== "number" || count < 0)
    return undefined;
  const path = asNode(type, "global")?.path ?? "";
  return { key, path, className: STORAGE_PATH.exec(path)?.[1] ?? "", count, view };
}

/**
 * The storage that a persistent id names. Throws ModelFileError: "corrupt" when it names none, "unsupported" for quantized storages.
 */
export function storageRef(value: PickleValue | undefined): StorageRef {
  const id = storageId(value);
  if (id === undefined) throw new ModelFileError("corrupt", "a tensor of the pickle has no storage");
  const { key, path, className, count, view } = id;
  if (!STORAGE_DTYPES.has(className)) {
    throw new ModelFileError(
      "unsupported",
      `it lies in a storage of type ${JSON.stringify(path.slice(0, 80))}`,
    );
  }
  return { key, dtype: STORAGE_DTYPES.get(className), count, viewOffset: viewOffset(view) };
}

/** The key of a storage and the bytes of one of its elements; undefined for values that name no storage of a known class. */
export function storageWidth(value: PickleValue): { key: string; width: number } | undefined {
  const id = storageId(value);
  if (id === undefined) return undefined;
  const dtype = STORAGE_DTYPES.get(id.className);
  const untyped = STORAGE_DTYPES.has(id.className) ? 1 : undefined;
  const width = dtype === undefined ? (QUANTIZED_WIDTHS.get(id.className) ?? untyped) : BYTE_WIDTHS[dtype];
  return width === undefined ? undefined : { key: id.key, width };
}

/** `view_metadata` of the legacy layout: (key of the view, offset, size), in elements. */
function viewOffset(view: PickleValue | undefined): number {
  if (view === undefined || view === null) return 0;
  const offset = itemsOf(view)?.[1];
  if (typeof offset !== "number" || offset < 0) {
    throw new ModelFileError("corrupt", "a storage view of the pickle has no offset");
  }
  return offset;
}

import type { Datatype } from "../datatype.ts";
import type { NamedTensor } from "../tensor.ts";
import { fieldSize, varintSize, type WireWriter } from "./wire-writer.ts";

/** The fields of `InferTensorContents`, and how an element is written. */
type Form =
  | { readonly field: number; readonly kind: "bytes" }
  /** As they are: what is in memory is what the wire has. */
  | { readonly field: number; readonly kind: "fixed" }
  | { readonly field: number; readonly kind: "numbers"; view(bytes: ArrayBuffer): ArrayLike<number> }
  | { readonly field: number; readonly kind: "bigints"; view(bytes: ArrayBuffer): ArrayLike<bigint> };

/** FP16 and BF16 have no contents. */
const FORMS: Partial<Record<Datatype, Form>> = {
  BOOL: {
    field: 1,
    kind: "numbers",
    view: (bytes) => new Uint8Array(bytes).map((value) => (value === 0 ? 0 : 1)),
  },
  INT8: { field: 2, kind: "numbers", view: (bytes) => new Int8Array(bytes) },
  INT16: { field: 2, kind: "numbers", view: (bytes) => new Int16Array(bytes) },
  INT32: { field: 2, kind: "numbers", view: (bytes) => new Int32Array(bytes) },
  INT64: { field: 3, kind: "bigints", view: (bytes) => new BigInt64Array(bytes) },
  UINT8: { field: 4, kind: "numbers", view: (bytes) => new Uint8Array(bytes) },
  UINT16: { field: 4, kind: "numbers", view: (bytes) => new Uint16Array(bytes) },
  UINT32: { field: 4, kind: "numbers", view: (bytes) => new Uint32Array(bytes) },
  UINT64: { field: 5, kind: "bigints", view: (bytes) => new BigUint64Array(bytes) },
  FP32: { field: 6, kind: "fixed" },
  FP64: { field: 7, kind: "fixed" },
  BYTES: { field: 8, kind: "bytes" },
};

/** Bytes of a negative number, whose sign goes through all 64 bits. */
const NEGATIVE_BYTES = 10;

/** Whether a tensor of this datatype can go as typed contents. */
export function hasContents(datatype: Datatype): boolean {
  return FORMS[datatype] !== undefined;
}

/** A tensor as an `InferTensorContents` message, without tag and length: its size, and what writes it. */
export interface Contents {
  readonly size: number;
  write(writer: WireWriter): void;
}

/** Prepares a tensor that `hasContents`. `field`: where its elements go; default: that of `InferTensorContents`. */
export function contentsOf(
  { datatype, bytes }: NamedTensor,
  field: number = FORMS[datatype]!.field,
): Contents {
  const form = FORMS[datatype]!;
  if (bytes.length === 0) return { size: 0, write: () => {} };
  switch (form.kind) {
    case "fixed":
      return { size: fieldSize(bytes.length), write: (writer) => writer.raw(field, bytes) };
    case "bytes":
      // Each element becomes a field: a tag, a length, the bytes.
      return stringContents(field, bytes);
    case "numbers":
      return numberContents(field, form.view(bytes.slice().buffer));
    case "bigints":
      return bigintContents(field, form.view(bytes.slice().buffer));
  }
}

function stringContents(field: number, bytes: Uint8Array): Contents {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let size = 0;
  for (let at = 0; at < bytes.length; ) {
    const length = view.getUint32(at, true);
    size += fieldSize(length);
    at += 4 + length;
  }
  return {
    size,
    write(writer) {
      for (let at = 0; at < bytes.length; ) {
        const end = at + 4 + view.getUint32(at, true);
        writer.raw(field, bytes.subarray(at + 4, end));
        at = end;
      }
    },
  };
}

function numberContents(field: number, values: ArrayLike<number>): Contents {
  let packed = 0;
  for (let i = 0; i < values.length; i++) packed += values[i]! < 0 ? NEGATIVE_BYTES : varintSize(values[i]!);
  return {
    size: fieldSize(packed),
    write(writer) {
      writer.open(field, packed);
      for (let i = 0; i < values.length; i++) {
        if (values[i]! < 0) writer.varint64(BigInt(values[i]!));
        else writer.varint(values[i]!);
      }
    },
  };
}

function bigintContents(field: number, values: ArrayLike<bigint>): Contents {
  let packed = 0;
  for (let i = 0; i < values.length; i++) packed += bigVarintSize(values[i]!);
  return {
    size: fieldSize(packed),
    write(writer) {
      writer.open(field, packed);
      for (let i = 0; i < values.length; i++) writer.varint64(values[i]!);
    },
  };
}

function bigVarintSize(value: bigint): number {
  let size = 1;
  for (let rest = BigInt.asUintN(64, value) >> 7n; rest > 0n; rest >>= 7n) size++;
  return size;
}

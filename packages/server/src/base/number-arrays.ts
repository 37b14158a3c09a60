import type { Datatype } from "./tensor.ts";

export type NumberArray = (bytes: ArrayBuffer) => ArrayLike<number | bigint>;

type NumberDatatype = Exclude<Datatype, "BOOL" | "FP16" | "BF16" | "BYTES">;

/** What the bytes of a datatype are, for those that JavaScript has an array of. */
export const NUMBER_ARRAYS: Readonly<Record<NumberDatatype, NumberArray>> = {
  UINT8: (bytes) => new Uint8Array(bytes),
  UINT16: (bytes) => new Uint16Array(bytes),
  UINT32: (bytes) => new Uint32Array(bytes),
  UINT64: (bytes) => new BigUint64Array(bytes),
  INT8: (bytes) => new Int8Array(bytes),
  INT16: (bytes) => new Int16Array(bytes),
  INT32: (bytes) => new Int32Array(bytes),
  INT64: (bytes) => new BigInt64Array(bytes),
  FP32: (bytes) => new Float32Array(bytes),
  FP64: (bytes) => new Float64Array(bytes),
};

import type { DType } from "../../dtype.ts";
import { invariant } from "../../errors.ts";

/** Little-endian bytes of `values` in a dtype, as ONNX's raw_data wants them. Booleans are 0 and 1. */
export function constantBytes(dtype: DType, values: readonly (number | bigint)[]): Uint8Array {
  const write = WRITERS[dtype];
  invariant(write !== undefined, `no constants of ${dtype}`);
  const bytes = new Uint8Array(values.length * write.size);
  const view = new DataView(bytes.buffer);
  values.forEach((value, i) => {
    write.put(view, i * write.size, value);
  });
  return bytes;
}

interface Writer {
  readonly size: number;
  put(view: DataView, at: number, value: number | bigint): void;
}

const WRITERS: Partial<Record<DType, Writer>> = {
  float32: { size: 4, put: (v, at, x) => v.setFloat32(at, Number(x), true) },
  float64: { size: 8, put: (v, at, x) => v.setFloat64(at, Number(x), true) },
  int8: { size: 1, put: (v, at, x) => v.setInt8(at, Number(x)) },
  uint8: { size: 1, put: (v, at, x) => v.setUint8(at, Number(x)) },
  bool: { size: 1, put: (v, at, x) => v.setUint8(at, Number(x) === 0 ? 0 : 1) },
  int16: { size: 2, put: (v, at, x) => v.setInt16(at, Number(x), true) },
  uint16: { size: 2, put: (v, at, x) => v.setUint16(at, Number(x), true) },
  int32: { size: 4, put: (v, at, x) => v.setInt32(at, Number(x), true) },
  uint32: { size: 4, put: (v, at, x) => v.setUint32(at, Number(x), true) },
  int64: { size: 8, put: (v, at, x) => v.setBigInt64(at, wholeNumber(x), true) },
  uint64: { size: 8, put: (v, at, x) => v.setBigUint64(at, BigInt.asUintN(64, wholeNumber(x)), true) },
};

function wholeNumber(value: number | bigint): bigint {
  return typeof value === "bigint" ? value : BigInt(Math.trunc(value));
}

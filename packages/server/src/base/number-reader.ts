import { bfloat16Value, float16Value } from "@sconce/protocol";
import type { Datatype } from "./tensor.ts";

/** Reads the element that begins at a byte of a tensor. */
export type NumberReader = (view: DataView, at: number) => number;

const READERS: Readonly<Partial<Record<Datatype, NumberReader>>> = {
  FP32: (view, at) => view.getFloat32(at, true),
  FP64: (view, at) => view.getFloat64(at, true),
  FP16: (view, at) => float16Value(view.getUint16(at, true)),
  BF16: (view, at) => bfloat16Value(view.getUint16(at, true)),
  INT64: (view, at) => Number(view.getBigInt64(at, true)),
  UINT64: (view, at) => Number(view.getBigUint64(at, true)),
  INT32: (view, at) => view.getInt32(at, true),
  UINT32: (view, at) => view.getUint32(at, true),
  INT16: (view, at) => view.getInt16(at, true),
  UINT16: (view, at) => view.getUint16(at, true),
  INT8: (view, at) => view.getInt8(at),
};

/** Elements of a datatype as numbers; 64-bit integers lose what a double cannot hold. Of BYTES it reads single bytes. */
export function numberReader(datatype: Datatype): NumberReader {
  return READERS[datatype] ?? ((view, at) => view.getUint8(at));
}

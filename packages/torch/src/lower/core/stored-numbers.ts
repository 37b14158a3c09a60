import { denseBytes, elementCount } from "../../archive/stored-tensor.ts";
import type { DType } from "../../dtype.ts";
import type { Weight } from "../../graph/ir.ts";

/** Weights of more elements are not read while a program is translated. */
const MAX_ELEMENTS = 1 << 22;

const READERS: Partial<Record<DType, (view: DataView, index: number) => number>> = {
  bool: (view, i) => view.getUint8(i),
  uint8: (view, i) => view.getUint8(i),
  int8: (view, i) => view.getInt8(i),
  int16: (view, i) => view.getInt16(2 * i, true),
  int32: (view, i) => view.getInt32(4 * i, true),
  int64: (view, i) => Number(view.getBigInt64(8 * i, true)),
  float32: (view, i) => view.getFloat32(4 * i, true),
  float64: (view, i) => view.getFloat64(8 * i, true),
};

/** The numbers of a small weight in row-major order; undefined for large ones and for dtypes that are not read. */
export function storedNumbers({ name, tensor }: Weight): number[] | undefined {
  const read = READERS[tensor.dtype];
  const count = elementCount(tensor.shape);
  if (read === undefined || count > MAX_ELEMENTS) return undefined;
  const bytes = denseBytes(name, tensor);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: count }, (_, i) => read(view, i));
}

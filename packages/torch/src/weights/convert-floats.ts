import { contiguousStrides, denseBytes, elementCount, type StoredTensor } from "../archive/stored-tensor.ts";
import { BYTE_WIDTHS, type DType } from "../dtype.ts";
import { bfloatBits, fromBfloatBits, fromHalfBits, halfBits } from "../half-floats.ts";

interface FloatType {
  get(view: DataView, at: number): number;
  set(view: DataView, at: number, value: number): void;
}

const FLOATS: Readonly<Partial<Record<DType, FloatType>>> = {
  float16: {
    get: (view, at) => fromHalfBits(view.getUint16(at, true)),
    set: (view, at, value) => view.setUint16(at, halfBits(value), true),
  },
  bfloat16: {
    get: (view, at) => fromBfloatBits(view.getUint16(at, true)),
    set: (view, at, value) => view.setUint16(at, bfloatBits(value), true),
  },
  float32: {
    get: (view, at) => view.getFloat32(at, true),
    set: (view, at, value) => view.setFloat32(at, value, true),
  },
  float64: {
    get: (view, at) => view.getFloat64(at, true),
    set: (view, at, value) => view.setFloat64(at, value, true),
  },
};

/** Whether `convertFloats` turns the one dtype into the other. */
export function areFloats(...dtypes: readonly DType[]): boolean {
  return dtypes.every((dtype) => FLOATS[dtype] !== undefined);
}

/**
 * The tensor in another float dtype, rounded to nearest, as `load_state_dict` copies it. It is converted when it is read and lies in no
 * file then.
 */
export function convertFloats(name: string, tensor: StoredTensor, dtype: DType): StoredTensor {
  const [from, to] = [FLOATS[tensor.dtype]!, FLOATS[dtype]!];
  const [narrow, wide] = [BYTE_WIDTHS[tensor.dtype], BYTE_WIDTHS[dtype]];
  const count = elementCount(tensor.shape);
  const read = (): Uint8Array => {
    const bytes = denseBytes(name, tensor);
    const source = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const converted = new DataView(new ArrayBuffer(count * wide));
    for (let i = 0; i < count; i++) to.set(converted, i * wide, from.get(source, i * narrow));
    return new Uint8Array(converted.buffer);
  };
  return {
    dtype,
    shape: tensor.shape,
    strides: contiguousStrides(tensor.shape),
    storageOffset: 0,
    storage: { byteLength: count * wide, locate: () => undefined, read },
  };
}

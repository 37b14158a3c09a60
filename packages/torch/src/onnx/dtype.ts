import type { DType } from "../dtype.ts";
import { ModelFileError } from "../errors.ts";

/** TensorProto.DataType by PyTorch's dtype. */
const DATA_TYPES: Partial<Record<DType, number>> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
  uint32: 12,
  uint64: 13,
  complex64: 14,
  complex128: 15,
  bfloat16: 16,
  float8_e4m3fn: 17,
  float8_e4m3fnuz: 18,
  float8_e5m2: 19,
  float8_e5m2fnuz: 20,
};

/** ONNX's number for a dtype. Throws ModelFileError("unsupported") for one that ONNX does not have. */
export function onnxDataType(dtype: DType): number {
  const type = DATA_TYPES[dtype];
  if (type === undefined) throw new ModelFileError("unsupported", `ONNX has no type for ${dtype}`);
  return type;
}

const DTYPES_BY_NUMBER: ReadonlyMap<number, DType> = new Map(
  // The keys of the table are dtypes; Object.entries forgets that.
  Object.entries(DATA_TYPES).map(([dtype, type]) => [type, dtype as DType]),
);

/** The dtype of a TensorProto.DataType; undefined for strings and for types PyTorch does not have. */
export function dtypeOfOnnx(type: number): DType | undefined {
  return DTYPES_BY_NUMBER.get(type);
}

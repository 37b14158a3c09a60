/** PyTorch's dtypes, by PyTorch's names. */
export const DTYPES = [
  "uint8",
  "int8",
  "int16",
  "int32",
  "int64",
  "float16",
  "float32",
  "float64",
  "complex32",
  "complex64",
  "complex128",
  "bool",
  "bfloat16",
  "uint16",
  "uint32",
  "uint64",
  "float8_e4m3fn",
  "float8_e5m2",
  "float8_e4m3fnuz",
  "float8_e5m2fnuz",
  "float8_e8m0fnu",
] as const;

/** PyTorch's name of an element type, such as `float32`. */
export type DType = (typeof DTYPES)[number];

const PART_DTYPES: Partial<Record<DType, DType>> = {
  complex32: "float16",
  complex64: "float32",
  complex128: "float64",
};

/** The dtype of a complex number's two parts; undefined for real dtypes. In memory they lie one after the other, real part first. */
export function componentDtype(dtype: DType): DType | undefined {
  return PART_DTYPES[dtype];
}

/** The complex dtype whose parts are of this one; undefined when there is none. */
export function complexDtype(part: DType): DType | undefined {
  return DTYPES.find((dtype) => PART_DTYPES[dtype] === part);
}

export function isComplex(dtype: DType): boolean {
  return PART_DTYPES[dtype] !== undefined;
}

/** Bytes of one element. */
export const BYTE_WIDTHS: Readonly<Record<DType, number>> = {
  uint8: 1,
  int8: 1,
  int16: 2,
  int32: 4,
  int64: 8,
  float16: 2,
  float32: 4,
  float64: 8,
  complex32: 4,
  complex64: 8,
  complex128: 16,
  bool: 1,
  bfloat16: 2,
  uint16: 2,
  uint32: 4,
  uint64: 8,
  float8_e4m3fn: 1,
  float8_e5m2: 1,
  float8_e4m3fnuz: 1,
  float8_e5m2fnuz: 1,
  float8_e8m0fnu: 1,
};

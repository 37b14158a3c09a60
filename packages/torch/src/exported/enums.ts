import type { DType } from "../dtype.ts";
import { ModelFileError } from "../errors.ts";
import { asInt } from "./fields.ts";
import type { Json } from "./json.ts";

/** torch._export.serde.schema.ScalarType (8.20). Not the numbers that TorchScript uses. */
const SCALAR_TYPES: Readonly<Record<number, DType>> = {
  1: "uint8",
  2: "int8",
  3: "int16",
  4: "int32",
  5: "int64",
  6: "float16",
  7: "float32",
  8: "float64",
  9: "complex32",
  10: "complex64",
  11: "complex128",
  12: "bool",
  13: "bfloat16",
  28: "uint16",
  29: "float8_e4m3fn",
  30: "float8_e5m2",
  31: "float8_e4m3fnuz",
  32: "float8_e5m2fnuz",
  33: "float8_e8m0fnu",
  34: "uint32",
  35: "uint64",
};

/** A dtype number of a program file. Throws ModelFileError("unsupported") for one that this table does not know. */
export function readScalarType(value: Json | undefined, what: string): DType {
  const number = asInt(value, what);
  const dtype = SCALAR_TYPES[number];
  if (dtype === undefined)
    throw new ModelFileError("unsupported", `${what} has dtype number ${number}, which is unknown`);
  return dtype;
}

export const STRIDED_LAYOUT = 7;

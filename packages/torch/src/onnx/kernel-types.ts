import type { DType } from "../dtype.ts";

/** Which types an ONNX op takes on ONNX Runtime's CPU kernels. */
export interface KernelTypes {
  /** Per operand: the name of a type variable ("T") or a fixed dtype ("int64"). */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Per type variable: dtypes with a kernel. */
  readonly types: Readonly<Record<string, readonly string[]>>;
  /** The last input repeats. */
  readonly variadic?: boolean;
}

/** Wider types that hold every value of a narrow one and whose arithmetic gives the same result after casting back. */
const WIDER: Partial<Record<DType, readonly DType[]>> = {
  bool: ["uint8", "int32", "int64", "float32"],
  uint8: ["int32", "int64", "float32"],
  int8: ["int32", "int64", "float32"],
  int16: ["int32", "int64", "float32"],
  uint16: ["int32", "int64", "float32"],
  int32: ["int64", "float64"],
  uint32: ["int64", "float64"],
  float16: ["float32"],
  bfloat16: ["float32"],
  float64: ["float32"],
};

/** The type to compute in: `dtype` itself when a kernel takes it, else the nearest wider one; undefined when there is none. */
export function computeType(dtype: DType, supported: readonly string[]): DType | undefined {
  if (supported.includes(dtype)) return dtype;
  return WIDER[dtype]?.find((wider) => supported.includes(wider));
}

/** The type variable or fixed dtype of one input. */
export function inputType(kernel: KernelTypes, index: number): string | undefined {
  return kernel.inputs[kernel.variadic === true ? Math.min(index, kernel.inputs.length - 1) : index];
}

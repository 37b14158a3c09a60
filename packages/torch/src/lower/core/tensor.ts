import { componentDtype, type DType } from "../../dtype.ts";
import type { Dim } from "../../graph/sym.ts";

/** An ONNX value: its name in the graph that is being built, and the dtype it has there. */
export interface Val {
  readonly name: string;
  /** The type that ONNX sees. float16 and bfloat16 tensors are carried as float32 (see `carrier`). */
  readonly dtype: DType;
}

/** A value of the program, with its size. */
export interface Tensor extends Val {
  readonly dims: readonly Dim[];
  /** The dtype that the program declares. */
  readonly declared: DType;
}

/** A complex value: its real and imaginary part, each a real value of the same size. ONNX Runtime has no complex tensors. */
export interface ComplexVal {
  readonly re: Val;
  readonly im: Val;
}

/** A complex value of the program, with its size. */
export interface ComplexTensor extends ComplexVal {
  readonly re: Tensor;
  readonly im: Tensor;
}

/** A Python number given where a tensor may stand. */
export interface Scalar {
  readonly kind: "int" | "float" | "bool";
  readonly value: Dim;
  /** The value itself when a double does not hold it; `value` is then the nearest one that is safe. */
  readonly exact?: bigint;
}

export type Operand = Tensor | Scalar;

export function isTensor(operand: Operand): operand is Tensor {
  return "name" in operand;
}

/**
 * The type a dtype is calculated in. ONNX Runtime's CPU kernels lack half precision, so it is carried as float32: more precise than
 * PyTorch's own result, and cast to the declared type only where the program asks for that (`to`) or ends. For a complex dtype it is
 * the type of both parts.
 */
export function carrier(dtype: DType): DType {
  const real = componentDtype(dtype) ?? dtype;
  return real === "float16" || real === "bfloat16" ? "float32" : real;
}

export function isFloat(dtype: DType): boolean {
  return dtype.startsWith("float") || dtype === "bfloat16";
}

/** A dimension counted from the end made positive; refuses one that the rank does not have. Rank 0 counts as one dimension. */
export function normalizeAxis(axis: number, rank: number): number {
  const bound = Math.max(rank, 1);
  const positive = axis < 0 ? axis + bound : axis;
  if (positive < 0 || positive >= bound)
    throw new RangeError(`dimension ${axis} of a tensor of rank ${rank}`);
  return positive;
}

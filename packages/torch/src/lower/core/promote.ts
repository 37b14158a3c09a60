import type { DType } from "../../dtype.ts";
import type { Emitter } from "./emitter.ts";
import { isTensor, type Operand, type Val } from "./tensor.ts";

/** Operands cast to the type that they promote to. */
export function promoted(g: Emitter, operands: readonly Operand[]): Val[] {
  const dtype = promote(operands);
  return operands.map((operand) => g.as(operand, dtype));
}

const INTEGERS: readonly DType[] = ["uint8", "int8", "int16", "int32", "int64"];

const FLOATS: readonly DType[] = ["float16", "float32", "float64"];

/**
 * PyTorch's type promotion: the dtype in which an op on these operands is calculated. Tensors with dimensions outrank 0-d tensors,
 * which outrank Python numbers; a lower rank decides only when its category (bool < integer < float) is higher.
 */
export function promote(operands: readonly Operand[]): DType {
  const classes: (DType | undefined)[] = [undefined, undefined, undefined];
  for (const operand of operands) {
    const rank = !isTensor(operand) ? 2 : operand.dims.length === 0 ? 1 : 0;
    const dtype = isTensor(operand) ? operand.dtype : scalarType(operand.kind);
    const known = classes[rank];
    classes[rank] = known === undefined ? dtype : common(known, dtype);
  }
  const [dimensioned, zeroDim, scalar] = classes;
  return higherCategory(higherCategory(dimensioned, zeroDim), scalar) ?? "float32";
}

function scalarType(kind: "int" | "float" | "bool"): DType {
  return kind === "int" ? "int64" : kind === "float" ? "float32" : "bool";
}

function higherCategory(first: DType | undefined, second: DType | undefined): DType | undefined {
  if (first === undefined || second === undefined) return first ?? second;
  return category(second) > category(first) ? second : first;
}

/** Bool, integer, float: of two kinds the higher one decides. */
export function category(dtype: DType): number {
  if (dtype === "bool") return 0;
  return dtype.startsWith("float") || dtype === "bfloat16" ? 2 : 1;
}

/** The smallest dtype that holds both, as torch.promote_types. */
export function common(a: DType, b: DType): DType {
  if (a === b) return a;
  if (category(a) !== category(b)) return category(a) > category(b) ? a : b;
  if (category(a) === 2) {
    if (a === "bfloat16" || b === "bfloat16")
      return a === "float64" || b === "float64" ? "float64" : "float32";
    return FLOATS[Math.max(FLOATS.indexOf(a), FLOATS.indexOf(b))]!;
  }
  if ((a === "uint8" && b === "int8") || (a === "int8" && b === "uint8")) return "int16";
  return INTEGERS[Math.max(INTEGERS.indexOf(a), INTEGERS.indexOf(b))] ?? "int64";
}

import type { DType } from "../dtype.ts";
import { product, type SymSymbol, sym } from "../graph/sym.ts";
import type { GraphRecorder } from "./graph-recorder.ts";
import { isFloat } from "./shapes/shape-args.ts";
import { unsupportedOp } from "./unsupported-op.ts";
import type { NumberValue, TensorValue } from "./value.ts";

/** The number that a tensor of one element holds: known, or a symbol that is measured when the program runs. */
export function dataNumber(recorder: GraphRecorder, tensor: TensorValue): NumberValue {
  if (tensor.number !== undefined) return tensor.number;
  const { dtype, dims } = tensor.type;
  if (product(dims) !== 1) return unsupportedOp("it takes the number of a tensor that may have several");
  const kind = kindOf(dtype);
  const size = recorder.dataSymbol(kind === "float" ? undefined : ANY_INTEGER);
  const value = kind === "bool" ? sym("eq", size, 1) : size;
  recorder.emitNumber("aten.item.default", tensor, { kind, expr: value });
  return { kind, value };
}

const ANY_INTEGER: SymSymbol["range"] = { min: Number.NEGATIVE_INFINITY, max: Number.POSITIVE_INFINITY };

function kindOf(dtype: DType): NumberValue["kind"] {
  if (dtype === "bool") return "bool";
  if (isFloat(dtype)) return "float";
  return dtype.startsWith("complex") ? unsupportedOp("a complex number") : "int";
}

import { numberFunction } from "./numbers.ts";
import type { WrittenCall } from "./overloads.ts";
import { floatOf, tensorType } from "./shapes/shape-args.ts";
import { isNumber, type NumberValue, type TensorValue, type Value } from "./value.ts";

/** Arithmetic on numbers and on 0-d tensors of known integers, which tracing makes of sizes; undefined for anything else. */
export function calculate({ op, args, kwargs }: WrittenCall): Value | undefined {
  const mode = kwargs.get("rounding_mode");
  const name =
    mode?.kind === "string"
      ? `${mode.value}_divide`.replace("floor_divide", "floordiv")
      : op.slice("aten.".length);
  const compute = numberFunction(name);
  const isPlain = [...kwargs.keys()].every((key) => key === "rounding_mode");
  if (compute === undefined || !isPlain) return undefined;
  const numbers = args.map(asNumber);
  if (numbers.length === 0 || numbers.some((number) => number === undefined)) return undefined;
  const known = numbers as NumberValue[];
  if (!args.some((arg) => arg.kind === "tensor")) return compute(known);
  // Float tensors round differently from Python's floats; only whole numbers are the same in both.
  if (known.some((number) => number.kind === "float")) return undefined;
  const number = compute(known);
  const dtype = number.kind === "float" ? floatOf("int64") : number.kind === "int" ? "int64" : "bool";
  const tensor: TensorValue = { kind: "tensor", name: undefined, type: tensorType(dtype, []), number };
  return tensor;
}

/** `torch.tensor(3, dtype=…)`. Without a dtype it stays a number. */
export function isTensorOfNumber({ op, args }: WrittenCall): boolean {
  return op === "aten.tensor" && args.length === 1 && isNumber(args[0]!);
}

/** The op that fills a 0-d tensor: the same call without `requires_grad`. */
export function scalarTensor({ args, kwargs }: WrittenCall): WrittenCall {
  const kept = [...kwargs].filter(([name]) => name !== "requires_grad");
  return { op: "aten.scalar_tensor", args, kwargs: new Map(kept) };
}

function asNumber(value: Value): NumberValue | undefined {
  if (isNumber(value)) return value;
  return value.kind === "tensor" && value.type.dims.length === 0 ? value.number : undefined;
}

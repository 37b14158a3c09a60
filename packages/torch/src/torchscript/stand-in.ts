import type { TensorType } from "../graph/ir.ts";
import { NONE } from "../graph/ir.ts";
import type { Dim } from "../graph/sym.ts";
import type { GraphRecorder } from "./graph-recorder.ts";
import { tensorType } from "./shapes/shape-args.ts";
import { int, type NumberValue, type TensorValue } from "./value.ts";

const NUMBER_TYPES = { int: "int64", float: "float64", bool: "bool" } as const;

/** The 0-d tensor of a number. */
export function numberTensor(number: NumberValue): TensorValue {
  return { kind: "tensor", name: undefined, type: tensorType(NUMBER_TYPES[number.kind], []), number };
}

/** Zeros of a type, recorded where the recorder stands. */
export function zerosOf(recorder: GraphRecorder, { dtype, dims }: TensorType): TensorValue {
  const args = new Map([
    ["size", recorder.arg({ kind: "list", items: dims.map(int) }, "SymInt[]")],
    ["dtype", { kind: "dtype", value: dtype } as const],
    ...["layout", "device", "pin_memory"].map((name) => [name, NONE] as const),
  ]);
  return recorder.emit("aten.zeros.default", args, [tensorType(dtype, dims)])[0]!;
}

/** A tensor for a variable that nobody reads before another way gives it one of this type. Sizes that are not known where it stands are 1. */
export function standIn(
  recorder: GraphRecorder,
  { dtype, dims }: TensorType,
  isKnown: (dim: Dim) => boolean,
): TensorValue {
  return zerosOf(
    recorder,
    tensorType(
      dtype,
      dims.map((dim) => (isKnown(dim) ? dim : 1)),
    ),
  );
}

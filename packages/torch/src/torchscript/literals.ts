import { ModelFileError } from "../errors.ts";
import { refuseOp, UnprovenSize } from "./refused-op.ts";
import type { Expr } from "./source-ast.ts";
import { isNumber, knownNumber, NONE_VALUE, UNKNOWN, type Value } from "./value.ts";

/** A literal as a value. */
export function constant({ value, isFloat }: Extract<Expr, { kind: "constant" }>): Value {
  if (value === null) return NONE_VALUE;
  if (typeof value === "boolean") return { kind: "bool", value: Number(value) };
  if (typeof value === "string") return { kind: "string", value };
  if (typeof value === "number") return { kind: isFloat ? "float" : "int", value };
  return { kind: "int", value: Number.MAX_SAFE_INTEGER, exact: value };
}

/** An item of a list, tuple or dict. Refuses what is not known. */
export function subscript(object: Value, index: Value): Value {
  if (object.kind === "unknown") return UNKNOWN;
  // A type in brackets, such as List[Tensor].
  if (object.kind === "path") return object;
  if (object.kind === "dict") {
    const key = index.kind === "string" ? index.value : knownNumber(index);
    return (key === undefined ? undefined : object.entries.get(key)) ?? refuseOp("a dict lacks a key");
  }
  const at = knownNumber(index);
  if ((object.kind !== "list" && object.kind !== "tuple") || at === undefined) {
    return refuseOp(`it takes an item of a ${object.kind}`);
  }
  return object.items.at(at) ?? refuseOp("a list is too short");
}

/** The integers of `range(…)`, as a list. Throws UnprovenSize where they depend on a size. */
export function range(args: readonly Value[]): Value {
  const numbers = args.map(knownNumber);
  if (numbers.includes(undefined)) {
    if (args.every(isNumber)) throw new UnprovenSize("a loop runs over a size");
    return refuseOp("a loop depends on the data: export the model with torch.export, or run it on PyTorch");
  }
  const [first = 0, second, step = 1] = numbers as number[];
  const [start, end] = second === undefined ? [0, first] : [first, second];
  const count = step === 0 ? 0 : Math.max(0, Math.ceil((end - start) / step));
  if (count > 100_000) throw new ModelFileError("limit", "a loop of the program is too long");
  return {
    kind: "list",
    items: Array.from({ length: count }, (_, i) => ({ kind: "int", value: start + i * step })),
  };
}

import type { DType } from "../dtype.ts";
import type { CompositeCalls } from "./composites.ts";
import type { WrittenCall } from "./overloads.ts";
import { codeOfDtype } from "./shapes/shape-args.ts";
import { unsupportedOp } from "./unsupported-op.ts";
import { int, isNumber, type NumberValue, type Value } from "./value.ts";

/** Numbers that a list may hold to be made a tensor of. */
const MAX_NUMBERS = 4096;

/** `torch.tensor([[1, n], [0.5, 2]])`, whose numbers may depend on sizes; undefined for any other call. */
export function tensorOfList({ op, args, kwargs }: WrittenCall, calls: CompositeCalls): Value | undefined {
  const [list] = args;
  if (op !== "aten.tensor" || args.length !== 1 || list?.kind !== "list") return undefined;
  const numbers = numbersOf(list, []);
  if (numbers === undefined) return undefined;
  const given = kwargs.get("dtype");
  const dtype = given?.kind === "int" ? given : int(codeOfDtype(dtypeOf(numbers)));
  return stacked(list, { calls, dtype });
}

/** Undefined where it holds something else. */
function numbersOf(value: Value, found: NumberValue[]): readonly NumberValue[] | undefined {
  if (isNumber(value)) {
    if (found.length === MAX_NUMBERS) unsupportedOp(`a list of more than ${MAX_NUMBERS} numbers`);
    found.push(value);
    return found;
  }
  if (value.kind !== "list") return undefined;
  return value.items.every((item) => numbersOf(item, found) !== undefined) ? found : undefined;
}

function dtypeOf(numbers: readonly NumberValue[]): DType {
  if (numbers.length === 0 || numbers.some(({ kind }) => kind === "float")) return "float32";
  return numbers.every(({ kind }) => kind === "bool") ? "bool" : "int64";
}

interface Made {
  readonly calls: CompositeCalls;
  /** Its code. */
  readonly dtype: Value;
}

function stacked(value: Value, { calls, dtype }: Made): Value {
  const typed = new Map([["dtype", dtype]]);
  if (value.kind !== "list") return calls.call("aten.scalar_tensor", [value], typed);
  if (value.items.length === 0) return calls.call("aten.zeros", [{ kind: "list", items: [int(0)] }], typed);
  const items = value.items.map((item) => stacked(item, { calls, dtype }));
  return calls.call("aten.stack", [{ kind: "list", items }, int(0)]);
}

import type { WrittenCall } from "./overloads.ts";
import { codeOfDtype } from "./shapes/shape-args.ts";
import { numberTensor } from "./stand-in.ts";
import { unsupportedOp } from "./unsupported-op.ts";
import { int, isGrown, isNumber, type ListValue, type TensorValue, type Value } from "./value.ts";

/** Calls an op: `call("stack", [list])`. */
type Call = (name: string, args: readonly Value[]) => Value;

/** `torch.tensor([[1, n], …])`: the tensor of numbers in lists, which all have one type; undefined for any other call. */
export function tensorOfList({ op, args, kwargs }: WrittenCall, call: Call): Value | undefined {
  const [list] = args;
  if ((op !== "aten.tensor" && op !== "aten.as_tensor") || args.length !== 1 || list?.kind !== "list")
    return undefined;
  const kind = kindIn(list);
  if (kind === undefined) return undefined;
  const asked = kwargs.get("dtype");
  const hasAsked = asked !== undefined && asked.kind !== "none";
  const made = stacked(list, call);
  // Python's floats are PyTorch's float32.
  const dtype = hasAsked ? asked : kind === "float" ? int(codeOfDtype("float32")) : undefined;
  return dtype === undefined ? made : call("to", [made, dtype]);
}

function stacked(list: ListValue, call: Call): TensorValue {
  if (isGrown(list)) return list.rows.tensor;
  const parts = list.items.map((item) => (isNumber(item) ? numberTensor(item) : stacked(listIn(item), call)));
  return call("stack", [{ kind: "list", items: parts }, int(0)]) as TensorValue;
}

function listIn(value: Value): ListValue {
  return value.kind === "list" ? value : unsupportedOp(`it makes a tensor of a ${value.kind}`);
}

/** What the numbers are; undefined where there are none, or other things. */
function kindIn(list: ListValue): string | undefined {
  if (isGrown(list)) return list.rows.number;
  const kinds = new Set(
    list.items.map((item) => (item.kind === "list" ? kindIn(item) : isNumber(item) ? item.kind : undefined)),
  );
  return kinds.size === 1 ? [...kinds][0] : undefined;
}

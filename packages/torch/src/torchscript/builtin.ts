import { sameDim } from "../graph/sym.ts";
import { equalSizes } from "./numbers.ts";
import { isNumber, type Value } from "./value.ts";

/** A function of the interpreter's own: undefined means that it does not take such arguments, and an op of that name is meant. */
export type Builtin = (args: readonly Value[]) => Value | undefined;

/** Whether two values are the same: undefined when that cannot be known. */
export function equal(a: Value, b: Value): boolean | undefined {
  if (isNumber(a) && isNumber(b)) {
    if (a.exact !== undefined || b.exact !== undefined) return a.exact === b.exact;
    if (typeof a.value === "number" && typeof b.value === "number") return a.value === b.value;
    if (sameDim(a.value, b.value)) return true;
    return equalSizes(a.value, b.value);
  }
  if (a.kind === "none" || b.kind === "none") return a.kind === b.kind;
  if (a.kind === "string" && b.kind === "string") return a.value === b.value;
  if (a.kind === "device" && b.kind === "device") return a.value === b.value;
  if ((a.kind === "list" && b.kind === "list") || (a.kind === "tuple" && b.kind === "tuple")) {
    if (a.items.length !== b.items.length) return false;
    const results = a.items.map((item, at) => equal(item, b.items[at]!));
    if (results.includes(false)) return false;
    return results.includes(undefined) ? undefined : true;
  }
  return undefined;
}

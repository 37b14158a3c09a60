import type { Expr } from "./source-ast.ts";
import { isGrown, type ListValue, type Value } from "./value.ts";

/** A pickled number does not say whether it is a float; the declared type of its attribute does. */
export function asDeclared(value: Value, type: Expr | undefined): Value {
  if (type === undefined || isGrown(value)) return value;
  if (type.kind === "name" && type.name === "float" && value.kind === "int")
    return { ...value, kind: "float" };
  if (type.kind !== "subscript" || type.object.kind !== "name") return value;
  const inner = type.index;
  if (type.object.name === "Optional" || type.object.name === "Final") return asDeclared(value, inner);
  if (value.kind === "list" && type.object.name === "List") return withItems(value, () => inner);
  if (value.kind === "tuple" && type.object.name === "Tuple")
    return withItems(value, (at) => (inner.kind === "tuple" ? inner.items[at] : inner));
  if (value.kind === "dict" && type.object.name === "Dict" && inner.kind === "tuple") {
    const entries = [...value.entries].map(([key, item]) => [key, asDeclared(item, inner.items[1])] as const);
    const isSame = entries.every(([key, item]) => value.entries.get(key) === item);
    return isSame ? value : { ...value, entries: new Map(entries) };
  }
  return value;
}

/** A list is shared by all who hold it: it stays the same one unless an item has to change. */
function withItems(list: ListValue, typeOf: (at: number) => Expr | undefined): ListValue {
  const items = list.items.map((item, at) => asDeclared(item, typeOf(at)));
  return items.every((item, at) => item === list.items[at]) ? list : { ...list, items };
}

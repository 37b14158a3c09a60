import type { Expr } from "./source-ast.ts";
import type { Value } from "./value.ts";

/** A pickled number does not say whether it is a float; the declared type of its attribute does. */
export function asDeclared(value: Value, type: Expr | undefined): Value {
  if (type === undefined) return value;
  if (type.kind === "name" && type.name === "float" && value.kind === "int")
    return { ...value, kind: "float" };
  if (type.kind !== "subscript" || type.object.kind !== "name") return value;
  const inner = type.index;
  if (type.object.name === "Optional" || type.object.name === "Final") return asDeclared(value, inner);
  if (value.kind === "list" && type.object.name === "List") {
    return { ...value, items: value.items.map((item) => asDeclared(item, inner)) };
  }
  if (value.kind === "tuple" && type.object.name === "Tuple" && inner.kind === "tuple") {
    return { ...value, items: value.items.map((item, at) => asDeclared(item, inner.items[at])) };
  }
  return value;
}

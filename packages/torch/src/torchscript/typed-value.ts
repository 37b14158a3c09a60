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

/** The kinds of values by the names of their types. */
const KINDS: Readonly<Record<string, Value["kind"]>> = {
  Tensor: "tensor",
  List: "list",
  Tuple: "tuple",
  Dict: "dict",
  NoneType: "none",
  int: "int",
  float: "float",
  bool: "bool",
  str: "string",
};

/** Whether a value is of a type, or of one of several; undefined where its kind does not tell. */
export function isOfType(value: Value, type: Expr): boolean | undefined {
  if (type.kind === "tuple" || type.kind === "list") {
    const each = type.items.map((item) => isOfType(value, item));
    return each.includes(true) ? true : each.includes(undefined) ? undefined : false;
  }
  const named = type.kind === "subscript" ? type.object : type;
  const kind = named.kind === "name" && Object.hasOwn(KINDS, named.name) ? KINDS[named.name] : undefined;
  if (kind === undefined) return undefined;
  if (kind !== value.kind) return false;
  return type.kind === "subscript" ? isOfItems(value, type.index) : true;
}

/** Whether the items are of a type: the first tells, as the language has lists of one type alone. */
function isOfItems(value: Value, inner: Expr): boolean | undefined {
  if (value.kind === "list" && inner.kind === "name")
    return value.items.length === 0 ? undefined : isOfType(value.items[0]!, inner);
  return undefined;
}

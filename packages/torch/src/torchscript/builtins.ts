import { ModelFileError } from "../errors.ts";
import { product, sameDim } from "../graph/sym.ts";
import { convertNumber } from "./numbers.ts";
import { isUnknown } from "./op-caller.ts";
import { refuseOp, UnprovenSize } from "./refused-op.ts";
import { axisOf, numeric } from "./shapes/dims.ts";
import { codeOfDtype, isFloat, tensorType } from "./shapes/shape-args.ts";
import {
  bool,
  int,
  isNumber,
  knownNumber,
  NONE_VALUE,
  type NumberValue,
  type TensorValue,
  UNKNOWN,
  type Value,
} from "./value.ts";

/** A function of the interpreter's own: undefined means that it does not take such arguments, and an op of that name is meant. */
type Builtin = (args: readonly Value[]) => Value | undefined;

/** The function behind `torch.<name>` where it is no tensor op, or not on such arguments. */
export function torchBuiltin(name: string, args: readonly Value[]): Value | undefined {
  return TORCH.get(name)?.(args);
}

/** The function behind `ops.prim.<name>`. */
export function primBuiltin(name: string, args: readonly Value[]): Value | undefined {
  return PRIM.get(name)?.(args);
}

/** The function behind a bare name, such as `int`. */
export function plainBuiltin(name: string, args: readonly Value[]): Value | undefined {
  return PLAIN.get(name)?.(args);
}

const converts =
  (kind: NumberValue["kind"]): Builtin =>
  ([value]) =>
    value === undefined ? undefined : convertNumber(kind, value);

/** `item()` and implicit conversions: the number keeps its kind. */
const itemOf: Builtin = ([value]) => {
  if (value?.kind !== "tensor") return undefined;
  return value.number ?? refuseOp("it needs the value of a tensor, which only the data knows");
};

const size: Builtin = ([tensor, dim]) => {
  if (tensor?.kind !== "tensor") return undefined;
  const { dims } = tensor.type;
  if (dim === undefined) return { kind: "list", items: dims.map(int) };
  const axis = knownNumber(dim);
  return axis === undefined ? undefined : int(dims[axisOf(axis, dims.length)]!);
};

const length: Builtin = ([value]) => {
  if (value?.kind === "list" || value?.kind === "tuple") return int(value.items.length);
  if (value?.kind === "tensor") return int(value.type.dims[0] ?? refuseOp("a 0-d tensor has no length"));
  if (value?.kind === "string") return int(value.value.length);
  return value?.kind === "dict" ? int(value.entries.size) : undefined;
};

/** NumToTensor and `torch.tensor(number)`: the 0-d tensor of a number. */
const tensorOf: Builtin = ([value]): TensorValue | undefined => {
  if (value === undefined || !isNumber(value)) return undefined;
  const dtype = value.kind === "int" ? "int64" : value.kind === "float" ? "float32" : "bool";
  return { kind: "tensor", name: undefined, type: tensorType(dtype, []), number: value };
};

/** Whether two values are the same: undefined when that cannot be known. */
function equal(a: Value, b: Value): boolean | undefined {
  if (isNumber(a) && isNumber(b)) {
    if (typeof a.value === "number" && typeof b.value === "number") return a.value === b.value;
    if (sameDim(a.value, b.value)) return true;
    throw new UnprovenSize("two sizes are compared");
  }
  if (a.kind === "none" || b.kind === "none") return a.kind === b.kind;
  if (a.kind === "string" && b.kind === "string") return a.value === b.value;
  if (a.kind === "device" && b.kind === "device") return a.value === b.value;
  if ((a.kind === "list" && b.kind === "list") || (a.kind === "tuple" && b.kind === "tuple")) {
    const results = a.items.map((item, at) => (b.items[at] === undefined ? false : equal(item, b.items[at])));
    return (
      a.items.length === b.items.length &&
      (results.includes(undefined) ? undefined : !results.includes(false))
    );
  }
  return undefined;
}

const compares =
  (isEqual: boolean): Builtin =>
  ([a, b]) => {
    if (a === undefined || b === undefined || a.kind === "tensor" || b.kind === "tensor") return undefined;
    const result = equal(a, b);
    return result === undefined ? undefined : bool(result === isEqual);
  };

/** `is None` is all that `is` says in TorchScript. */
const identical =
  (isSame: boolean): Builtin =>
  ([a, b]) => {
    if (a === undefined || b === undefined || isUnknown(a) || isUnknown(b)) return UNKNOWN;
    if (a.kind !== "none" && b.kind !== "none") return equal(a, b) === isSame ? bool(true) : bool(false);
    return bool((a.kind === b.kind) === isSame);
  };

const not: Builtin = ([value]) => {
  const known = value === undefined || value.kind === "tensor" ? undefined : knownNumber(value);
  return known === undefined ? undefined : bool(known === 0);
};

const contains: Builtin = ([holder, key]) => {
  if (holder?.kind === "dict" && key?.kind === "string") return bool(holder.entries.has(key.value));
  if (holder?.kind !== "list" || key === undefined) return undefined;
  return bool(holder.items.some((item) => equal(item, key) === true));
};

const append: Builtin = ([list, item]) => {
  if (list?.kind !== "list" || item === undefined) return undefined;
  list.items.push(item);
  return list;
};

const extend: Builtin = ([list, more]) => {
  if (list?.kind !== "list" || more?.kind !== "list") return undefined;
  checkLength(list.items.length + more.items.length);
  list.items.push(...more.items);
  return list;
};

/** Lists of a program hold sizes and tensors, not data. */
const MAX_LIST = 20_000;

function checkLength(length: number): void {
  if (length > MAX_LIST)
    throw new ModelFileError("limit", `a list of the program has more than ${MAX_LIST} items`);
}

const insert: Builtin = ([list, at, item]) => {
  const index = at === undefined ? undefined : knownNumber(at);
  if (list?.kind !== "list" || index === undefined || item === undefined) return undefined;
  list.items.splice(index, 0, item);
  return list;
};

const pop: Builtin = ([list, at]) => {
  if (list?.kind !== "list") return undefined;
  const index = at === undefined ? -1 : knownNumber(at);
  return index === undefined ? undefined : (list.items.splice(index, 1)[0] ?? refuseOp("a list is empty"));
};

const sliceList: Builtin = ([list, start, end, step]) => {
  if (list?.kind !== "list" && list?.kind !== "tuple") return undefined;
  const [from, until, by] = [start, end, step].map((value) =>
    value === undefined ? undefined : knownNumber(value),
  );
  const items = list.items.slice(from ?? 0, until ?? Number.MAX_SAFE_INTEGER);
  return { kind: "list", items: (by ?? 1) === 1 ? items : items.filter((_, at) => at % by! === 0) };
};

const addLists: Builtin = ([a, b]) => {
  if (a?.kind !== "list" || b?.kind !== "list") return undefined;
  checkLength(a.items.length + b.items.length);
  return { kind: "list", items: [...a.items, ...b.items] };
};

const repeatList: Builtin = ([list, times]) => {
  const count = times === undefined ? undefined : knownNumber(times);
  if (list?.kind !== "list" || count === undefined) return undefined;
  checkLength(list.items.length * count);
  return { kind: "list", items: Array.from({ length: Math.max(0, count) }, () => list.items).flat() };
};

const copyList: Builtin = ([list]) =>
  list?.kind === "list" || list?.kind === "tuple" ? { kind: "list", items: [...list.items] } : undefined;

const setItem: Builtin = ([holder, key, value]) => {
  if (value === undefined || key === undefined) return undefined;
  if (holder?.kind === "dict" && (key.kind === "string" || key.kind === "int")) {
    holder.entries.set(key.kind === "string" ? key.value : numeric(key.value), value);
    return holder;
  }
  const at = knownNumber(key);
  if (holder?.kind !== "list" || at === undefined) return undefined;
  holder.items[at < 0 ? at + holder.items.length : at] = value;
  return holder;
};

const extreme =
  (pick: (a: number, b: number) => number): Builtin =>
  (args) => {
    const numbers = args.length === 1 && args[0]!.kind === "list" ? args[0]!.items : args;
    if (!numbers.every(isNumber) || numbers.length === 0) return undefined;
    const [first, ...others] = numbers.map(({ value }) => numeric(value));
    return { kind: numbers[0]!.kind, value: others.reduce(pick, first!) };
  };

const TORCH = new Map<string, Builtin>([
  ["size", size],
  ["len", length],
  ["dim", ([t]) => (t?.kind === "tensor" ? int(t.type.dims.length) : undefined)],
  ["numel", ([t]) => (t?.kind === "tensor" ? int(product(t.type.dims)) : undefined)],
  ["is_floating_point", ([t]) => (t?.kind === "tensor" ? bool(isFloat(t.type.dtype)) : undefined)],
  ["is_complex", ([t]) => (t?.kind === "tensor" ? bool(t.type.dtype.startsWith("complex")) : undefined)],
  ["is_contiguous", ([t]) => (t?.kind === "tensor" ? bool(true) : undefined)],
  ["item", itemOf],
  ["ScalarImplicit", itemOf],
  ["IntImplicit", converts("int")],
  ["FloatImplicit", converts("float")],
  ["Int", converts("int")],
  ["Float", converts("float")],
  ["Bool", converts("bool")],
  ["eq", compares(true)],
  ["ne", compares(false)],
  ["__is__", identical(true)],
  ["__isnot__", identical(false)],
  ["__not__", not],
  ["__contains__", contains],
  ["append", append],
  ["extend", extend],
  ["insert", insert],
  ["pop", pop],
  ["slice", sliceList],
  ["add", addLists],
  ["add_", extend],
  ["mul", repeatList],
  ["list", copyList],
  ["copy", copyList],
  ["_set_item", setItem],
  ["warn", () => NONE_VALUE],
  ["format", () => ({ kind: "string", value: "" })],
  ["tensor", (args) => (args.length === 1 ? tensorOf(args) : undefined)],
  ["device", ([name]) => (name?.kind === "string" ? { kind: "device", value: name.value } : undefined)],
]);

const PRIM = new Map<string, Builtin>([
  ["NumToTensor", tensorOf],
  ["dtype", ([t]) => (t?.kind === "tensor" ? int(codeOfDtype(t.type.dtype)) : undefined)],
  ["device", ([t]) => (t?.kind === "tensor" ? { kind: "device", value: "cpu" } : undefined)],
  ["layout", () => int(0)],
  ["is_cuda", () => bool(false)],
  ["requires_grad", () => bool(false)],
  ["data", ([t]) => t],
  ["max", extreme(Math.max)],
  ["min", extreme(Math.min)],
]);

const PLAIN = new Map<string, Builtin>([
  ["int", converts("int")],
  ["float", converts("float")],
  ["bool", converts("bool")],
  ["str", () => ({ kind: "string", value: "" })],
  ["list", copyList],
  ["len", length],
]);

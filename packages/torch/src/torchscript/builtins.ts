import { greatest, least } from "../graph/bounds.ts";
import { add, type Dim, mul, product, sub, sym } from "../graph/sym.ts";
import { type Builtin, equal } from "./builtin.ts";
import { DICT_BUILTINS } from "./dict-builtins.ts";
import { copyList, LIST_BUILTINS, sorted } from "./list-builtins.ts";
import { convertNumber, numberFunction } from "./numbers.ts";
import { isUnknown } from "./op-caller.ts";
import { axisOf, numeric } from "./shapes/dims.ts";
import { codeOfDtype, isFloat, tensorType } from "./shapes/shape-args.ts";
import { isDataSize } from "./size-need.ts";
import { stringOf, TEXT_BUILTINS } from "./text-builtins.ts";
import { unsupportedOp } from "./unsupported-op.ts";
import {
  bool,
  int,
  isNumber,
  knownNumber,
  type NumberValue,
  type TensorValue,
  UNKNOWN,
  type Value,
} from "./value.ts";

/** The function behind `torch.<name>` where it is not a tensor op, or not on such arguments. */
export function torchBuiltin(name: string, args: readonly Value[]): Value | undefined {
  return (
    TORCH.get(name)?.(args) ??
    LIST_BUILTINS[name]?.(args) ??
    DICT_BUILTINS[name]?.(args) ??
    TEXT_BUILTINS[name]?.(args)
  );
}

/** Whether `torch.<name>` is, on some arguments, a function of the language. */
export function isBuiltin(name: string): boolean {
  return (
    TORCH.has(name) ||
    [LIST_BUILTINS, DICT_BUILTINS, TEXT_BUILTINS].some((table) => Object.hasOwn(table, name))
  );
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

const size: Builtin = ([tensor, dim]) => {
  if (tensor?.kind !== "tensor") return undefined;
  const { dims } = tensor.type;
  if (dim === undefined) return { kind: "list", items: dims.map(int) };
  const axis = knownNumber(dim);
  return axis === undefined ? undefined : int(dims[axisOf(axis, dims.length)]!);
};

const length: Builtin = ([value]) => {
  if (value?.kind === "list" || value?.kind === "tuple") return int(value.items.length);
  if (value?.kind === "tensor") return int(value.type.dims[0] ?? unsupportedOp("a 0-d tensor has no length"));
  return value?.kind === "dict" ? int(value.entries.size) : undefined;
};

/** NumToTensor and `torch.tensor(number)`: the 0-d tensor of a number. */
const tensorOf: Builtin = ([value]): TensorValue | undefined => {
  if (value === undefined || !isNumber(value)) return undefined;
  const dtype = value.kind === "int" ? "int64" : value.kind === "float" ? "float32" : "bool";
  return { kind: "tensor", name: undefined, type: tensorType(dtype, []), number: value };
};

const compares =
  (isEqual: boolean): Builtin =>
  ([a, b]) => {
    if (a === undefined || b === undefined || a.kind === "tensor" || b.kind === "tensor") return undefined;
    // What the data decide is left to arithmetic, which answers a truth that only the run knows.
    if ([a, b].every(isNumber) && [a, b].some((value) => isNumber(value) && isDataSize(value.value)))
      return undefined;
    const result = equal(a, b);
    return result === undefined ? undefined : bool(result === isEqual);
  };

/** `is None` is what `is` says in TorchScript; whether two tensors are one cannot be known. */
const identical =
  (isSame: boolean): Builtin =>
  ([a, b]) => {
    if (a === undefined || b === undefined || isUnknown(a) || isUnknown(b)) return UNKNOWN;
    if (a.kind === "none" || b.kind === "none") return bool((a.kind === b.kind) === isSame);
    if (!isNumber(a) || !isNumber(b)) return unsupportedOp("whether two values are one object is not known");
    const result = equal(a, b);
    return result === undefined ? undefined : bool(result === isSame);
  };

const not: Builtin = ([value]) => {
  if (value === undefined || !isNumber(value)) return undefined;
  if (typeof value.value === "number") return bool(value.value === 0);
  return value.kind === "bool" ? { kind: "bool", value: sym("not", value.value) } : undefined;
};

/** `max` and `min` of numbers or of a list of them. Of an int and a float, the result is a float. */
const extreme =
  (pick: (a: Dim, b: Dim) => Dim): Builtin =>
  (args) => {
    const numbers = args.length === 1 && args[0]!.kind === "list" ? args[0]!.items : args;
    if (!numbers.every(isNumber) || numbers.length === 0) return undefined;
    const [first, ...others] = numbers.map(({ value }) => value);
    const kind = numbers.some((number) => number.kind === "float") ? "float" : numbers[0]!.kind;
    return { kind, value: others.reduce((best, value) => pick(best, value), first!) };
  };

/** `sum` of a list of numbers. */
const sum: Builtin = ([list, ...others]) => {
  if (list?.kind !== "list" || others.length > 0 || !list.items.every(isNumber)) return undefined;
  const kind = list.items.some((item) => item.kind === "float") ? "float" : "int";
  const value = list.items.reduce<Dim>((total, item) => add(total, (item as NumberValue).value), 0);
  return { kind, value };
};

/** `all` and `any` of a list of truths. */
const every =
  (isAll: boolean): Builtin =>
  ([list, ...others]) => {
    if (list?.kind !== "list" || others.length > 0) return undefined;
    const truths = list.items.map((item) => (item.kind === "tensor" ? undefined : knownNumber(item)));
    if (truths.includes(undefined)) return undefined;
    return bool(isAll ? truths.every((truth) => truth !== 0) : truths.some((truth) => truth !== 0));
  };

/** The counter of `range(start, …, step)` in its turn `index`. */
const deriveIndex: Builtin = ([index, start, step]) => {
  if (index?.kind !== "int" || start?.kind !== "int" || step?.kind !== "int") return undefined;
  return int(add(start.value, mul(index.value, step.value)));
};

/** How many turns `range(start, end, step)` has. */
const rangeLength: Builtin = ([start, end, step]) => {
  if (start?.kind !== "int" || end?.kind !== "int" || step?.kind !== "int") return undefined;
  const by = numeric(step.value);
  if (by === 0) return unsupportedOp("a range has the step 0");
  // Rounded up.
  const turns = sym("floordiv", add(sub(end.value, start.value), by - Math.sign(by)), by);
  return int(sym("max", turns, 0));
};

const divmod: Builtin = ([a, b]) => {
  if (a?.kind !== "int" || b?.kind !== "int") return undefined;
  const [value, by] = [numeric(a.value), numeric(b.value)];
  if (by === 0) return unsupportedOp("it divides by zero");
  const quotient = Math.floor(value / by);
  return { kind: "tuple", items: [int(quotient), int(value - quotient * by)] };
};

const TORCH = new Map<string, Builtin>([
  ["size", size],
  ["len", length],
  ["dim", ([t]) => (t?.kind === "tensor" ? int(t.type.dims.length) : undefined)],
  ["numel", ([t]) => (t?.kind === "tensor" ? int(product(t.type.dims)) : undefined)],
  ["is_floating_point", ([t]) => (t?.kind === "tensor" ? bool(isFloat(t.type.dtype)) : undefined)],
  ["is_complex", ([t]) => (t?.kind === "tensor" ? bool(t.type.dtype.startsWith("complex")) : undefined)],
  ["is_contiguous", () => unsupportedOp("only PyTorch's memory knows")],
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
  ["sum", sum],
  ["all", every(true)],
  ["any", every(false)],
  ["divmod", divmod],
  ["__derive_index", deriveIndex],
  ["__range_length", rangeLength],
  ["is_grad_enabled", () => bool(false)],
  ["is_autocast_enabled", () => bool(false)],
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
  [
    "abs",
    ([value]) => (value !== undefined && isNumber(value) ? numberFunction("abs")!([value]) : undefined),
  ],
  ["type", ([value]) => (value?.kind === "device" ? { kind: "string", value: value.value } : undefined)],
  ["is_nested", () => bool(false)],
  ["max", extreme(greatest)],
  ["min", extreme(least)],
]);

const PLAIN = new Map<string, Builtin>([
  ["int", converts("int")],
  ["float", converts("float")],
  ["bool", converts("bool")],
  ["str", stringOf],
  ["sorted", sorted],
  ["list", copyList],
  ["len", (args) => length(args) ?? TEXT_BUILTINS["len"]!(args)],
]);

import { overloadsOf, type Param, type Schema, schemaOf } from "../aten/schemas.ts";
import { isNumber, NONE_VALUE, type Value } from "./value.ts";

/** A call with its overload found: every parameter has a value, given or default. */
export interface BoundCall {
  readonly schema: Schema;
  readonly args: ReadonlyMap<string, Value>;
}

/** A call as written. */
export interface WrittenCall {
  /** Such as "aten.add". */
  readonly op: string;
  readonly args: readonly Value[];
  readonly kwargs: ReadonlyMap<string, Value>;
}

const known = new Map<string, readonly Schema[]>();

/** All overloads of an op. */
export function schemasOf(op: string): readonly Schema[] {
  const found = known.get(op) ?? overloadsOf(op).map((target) => schemaOf(target)!);
  known.set(op, found);
  return found;
}

/**
 * The overload that a call means. TorchScript's files leave overload names out; the types of the arguments decide, as when PyTorch
 * loads the file (torch/csrc/jit/frontend/schema_matching.cpp): exact types first, then with numbers for tensors of numbers.
 */
export function resolveCall(call: WrittenCall): BoundCall | undefined {
  if (call.op === "aten.div" && call.kwargs.has("rounding_mode")) return resolveTyped(withTensors(call));
  const plain = withNumbers(call);
  return (plain && resolveTyped(plain)) ?? resolveTyped(call);
}

/** The call with Python numbers where tracing has made tensors of them; undefined when it has none. */
function withNumbers(call: WrittenCall): WrittenCall | undefined {
  const plain = (value: Value, at: number): Value =>
    at > 0 && value.kind === "tensor" && value.isWrapped ? value.number! : value;
  const args = call.args.map(plain);
  return args.every((arg, at) => arg === call.args[at]) ? undefined : { ...call, args };
}

/** The call with numbers that tracing has made tensors of as tensors in type promotion too, as PyTorch has them in `div.Tensor_mode`. */
function withTensors(call: WrittenCall): WrittenCall {
  const args = call.args.map(
    (value): Value => (value.kind === "tensor" ? { ...value, isWrapped: false } : value),
  );
  return { ...call, args };
}

function resolveTyped(call: WrittenCall): BoundCall | undefined {
  for (const isLenient of [false, true]) {
    for (const schema of schemasOf(call.op)) {
      const args = bind(schema, call, isLenient);
      if (args !== undefined) return { schema, args };
    }
  }
  return undefined;
}

function bind(schema: Schema, call: WrittenCall, isLenient: boolean): Map<string, Value> | undefined {
  const bound = new Map<string, Value>();
  for (const [at, param] of schema.params.entries()) {
    const value = at < call.args.length && !param.isKeywordOnly ? call.args[at] : call.kwargs.get(param.name);
    if (value !== undefined) {
      if (!matches(param.type, value, isLenient)) return undefined;
      bound.set(param.name, value);
    } else if (param.default === undefined) return undefined;
    else bound.set(param.name, defaultValue(param));
  }
  const given = call.args.length + call.kwargs.size;
  const positional = schema.params.filter((param) => !param.isKeywordOnly).length;
  const isComplete =
    call.args.length <= positional && [...call.kwargs.keys()].every((name) => bound.has(name));
  return isComplete && given <= schema.params.length ? bound : undefined;
}

function matches(type: string, value: Value, isLenient: boolean): boolean {
  if (value.kind === "unknown") return true;
  if (type.endsWith("?")) return value.kind === "none" || matches(type.slice(0, -1), value, isLenient);
  if (type.endsWith("[]")) return matchesList(type.slice(0, -2), value, isLenient);
  const number = value.kind === "tensor" && isLenient ? value.number : value;
  switch (type) {
    case "Tensor":
      return value.kind === "tensor";
    case "Scalar":
    case "number":
      return number !== undefined && isNumber(number);
    case "int":
    case "ScalarType":
    case "Layout":
    case "MemoryFormat":
      return number?.kind === "int";
    case "float":
      return number?.kind === "float" || (isLenient && number?.kind === "int");
    case "bool":
      return number?.kind === "bool";
    case "str":
      return value.kind === "string";
    case "Device":
      return value.kind === "device";
    default:
      return false;
  }
}

function matchesList(item: string, value: Value, isLenient: boolean): boolean {
  if (value.kind === "list") return value.items.every((entry) => matches(item, entry, isLenient));
  return isLenient && (item === "int" || item === "float") && matches(item, value, isLenient);
}

function defaultValue({ default: value }: Param): Value {
  switch (value?.kind) {
    case "int":
      return typeof value.value === "number"
        ? { kind: "int", value: value.value }
        : { kind: "int", value: Number.MAX_SAFE_INTEGER, exact: value.value };
    case "float":
      return { kind: "float", value: value.value };
    case "bool":
      return { kind: "bool", value: Number(value.value) };
    case "string":
      return { kind: "string", value: value.value };
    case "list":
      return { kind: "list", items: value.items.map((item) => defaultValue({ default: item } as Param)) };
    // Memory formats and layouts by name: nothing that changes numbers.
    default:
      return NONE_VALUE;
  }
}

import { ModelFileError } from "../errors.ts";
import { keyOfValue } from "./dict-builtins.ts";
import type { Expr } from "./source-ast.ts";
import { ADVICE, UnprovenSize, unsupportedOp } from "./unsupported-op.ts";
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
    const key = keyOfValue(index);
    return (key === undefined ? undefined : object.entries.get(key)) ?? unsupportedOp("a dict lacks a key");
  }
  if (object.kind === "string") return characterAt(object.value, knownNumber(index));
  if (isNumber(index) && typeof index.value !== "number")
    throw new UnprovenSize("an index depends on a size", { kind: "numbers", dims: [index.value] });
  const at = knownNumber(index);
  if ((object.kind !== "list" && object.kind !== "tuple") || at === undefined) {
    return unsupportedOp(`it takes an item of a ${object.kind}`);
  }
  return object.items.at(at) ?? unsupportedOp("a list is too short");
}

/** Text is bytes in TorchScript: one of them is a character only where all are ASCII. */
function characterAt(text: string, at: number | undefined): Value {
  const char = at === undefined || !isAscii(text) ? undefined : text.at(at);
  return char === undefined ? unsupportedOp("it takes a byte of a text") : { kind: "string", value: char };
}

export function isAscii(text: string): boolean {
  return [...text].every((char) => char.codePointAt(0)! < 0x80);
}

/** The integers of `range(…)`, as a list. Throws UnprovenSize where they depend on a size. */
export function range(args: readonly Value[]): Value {
  const numbers = args.map(knownNumber);
  if (numbers.includes(undefined)) {
    if (args.every(isNumber)) {
      const dims = args.map(({ value }) => value);
      throw new UnprovenSize("a 'for' loop runs over a size", { kind: "numbers", dims });
    }
    return unsupportedOp(`a 'for' loop depends on the data: ${ADVICE}`);
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

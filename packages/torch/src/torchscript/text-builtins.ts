import type { Builtin } from "./builtin.ts";
import { isAscii } from "./literals.ts";
import { unsupportedOp } from "./unsupported-op.ts";
import { bool, int, knownNumber, UNKNOWN, type Value } from "./value.ts";

const text = (value: string): Value => ({ kind: "string", value });

/** What `str` and `format` make of a value; undefined for floats and tensors, whose digits only PyTorch knows. */
function shown(value: Value | undefined): string | undefined {
  switch (value?.kind) {
    case "string":
      return value.value;
    case "none":
      return "None";
    case "int":
    case "bool": {
      if (typeof value.value !== "number" || value.exact !== undefined) return undefined;
      return value.kind === "int" ? String(value.value) : value.value === 0 ? "False" : "True";
    }
    default:
      return undefined;
  }
}

/** `str(x)`. A text that is not known matters only where something depends on it. */
export const stringOf: Builtin = ([value]) => {
  const known = shown(value);
  return known === undefined ? UNKNOWN : text(known);
};

/** Replaces every `hole` of a text by the next value. */
const filled =
  (hole: string): Builtin =>
  ([template, ...values]) => {
    if (template?.kind !== "string") return undefined;
    const parts = template.value.split(hole);
    const known = values.map(shown);
    if (parts.length - 1 !== values.length || known.includes(undefined)) return UNKNOWN;
    return text(parts.map((part, at) => part + (known[at] ?? "")).join(""));
  };

/** `"%s" % x` with nothing but `%s`. */
const percentFormat: Builtin = (args) => {
  const [template] = args;
  if (template?.kind !== "string") return undefined;
  return /%(?!s)/.test(template.value) ? UNKNOWN : filled("%s")(args);
};

/** Functions of ASCII texts, as their bytes are their characters. */
const onTexts =
  (run: (subject: string, ...others: readonly string[]) => Value | undefined): Builtin =>
  (args) => {
    const texts = args.map((arg) => (arg.kind === "string" ? arg.value : undefined));
    if (texts.length === 0 || texts.includes(undefined)) return undefined;
    const [subject, ...others] = texts as string[];
    if (!texts.every((one) => isAscii(one!))) return unsupportedOp("it works on a text that is not ASCII");
    return run(subject!, ...others);
  };

const onOne = (run: (subject: string) => Value): Builtin =>
  onTexts((subject, ...others) => (others.length === 0 ? run(subject) : undefined));

const onTwo = (run: (subject: string, other: string) => Value | undefined): Builtin =>
  onTexts((subject, other, ...others) =>
    other === undefined || others.length > 0 ? undefined : run(subject, other),
  );

/** `find` within the whole text; `in` is written as one. */
const find: Builtin = ([subject, part, start, end]) => {
  if (subject?.kind !== "string" || part?.kind !== "string") return undefined;
  const isWhole =
    (start === undefined || knownNumber(start) === 0) &&
    (end === undefined || (knownNumber(end) ?? 0) >= subject.value.length || knownNumber(end) === -1);
  if (!isWhole || !isAscii(subject.value + part.value)) return unsupportedOp("it searches a part of a text");
  return int(subject.value.indexOf(part.value));
};

/** Functions of TorchScript's texts (torch/csrc/jit/runtime/register_prim_ops.cpp, register_string_ops.cpp). */
export const TEXT_BUILTINS: Readonly<Record<string, Builtin>> = {
  str: stringOf,
  format: filled("{}"),
  percentFormat,
  find,
  add: ([a, b]) => (a?.kind === "string" && b?.kind === "string" ? text(a.value + b.value) : undefined),
  lower: onOne((subject) => text(subject.toLowerCase())),
  upper: onOne((subject) => text(subject.toUpperCase())),
  len: onOne((subject) => int(subject.length)),
  startswith: onTwo((subject, other) => bool(subject.startsWith(other))),
  endswith: onTwo((subject, other) => bool(subject.endsWith(other))),
  __contains__: onTwo((subject, other) => bool(subject.includes(other))),
  split: onTwo((subject, other) =>
    other === "" ? undefined : { kind: "list", items: subject.split(other).map(text) },
  ),
};

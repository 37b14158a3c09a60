import type { Builtin } from "./builtin.ts";
import { unsupportedOp } from "./unsupported-op.ts";
import { bool, type DictValue, int, knownNumber, NONE_VALUE, type Value } from "./value.ts";

/** The key of a dictionary; undefined for what cannot be one here. */
export function keyOfValue(value: Value | undefined): string | number | undefined {
  if (value?.kind === "string") return value.value;
  return value?.kind === "int" ? knownNumber(value) : undefined;
}

function keyIn(value: Value | undefined): string | number {
  return keyOfValue(value) ?? unsupportedOp("a dict has a key that is not text and no known integer");
}

function valueOfKey(key: string | number): Value {
  return typeof key === "string" ? { kind: "string", value: key } : int(key);
}

const on =
  (run: (dict: DictValue, args: readonly Value[]) => Value | undefined): Builtin =>
  ([dict, ...args]) =>
    dict?.kind === "dict" ? run(dict, args) : undefined;

/** A dictionary of the archive's own would stay changed for the next call. */
const changes = (change: (dict: DictValue, args: readonly Value[]) => Value | undefined): Builtin =>
  on((dict, args) => {
    if (dict.isStored === true)
      return unsupportedOp("it changes a dict of the module, which would outlive the call");
    return change(dict, args);
  });

const taken = (dict: DictValue, key: string | number): Value | undefined => {
  const value = dict.entries.get(key);
  dict.entries.delete(key);
  return value;
};

/** Functions of TorchScript's dictionaries (torch/csrc/jit/runtime/register_prim_ops.cpp). */
export const DICT_BUILTINS: Readonly<Record<string, Builtin>> = {
  dict: ([other, ...more]) => {
    if (other === undefined) return { kind: "dict", entries: new Map() };
    return other.kind === "dict" && more.length === 0
      ? { kind: "dict", entries: new Map(other.entries) }
      : undefined;
  },
  keys: on(({ entries }) => ({ kind: "list", items: [...entries.keys()].map(valueOfKey) })),
  values: on(({ entries }) => ({ kind: "list", items: [...entries.values()] })),
  items: on(({ entries }) => ({
    kind: "list",
    items: [...entries].map(([key, value]) => ({ kind: "tuple", items: [valueOfKey(key), value] })),
  })),
  get: on(({ entries }, [key, otherwise]) => entries.get(keyIn(key)) ?? otherwise ?? NONE_VALUE),
  __contains__: on(({ entries }, [key]) => bool(entries.has(keyIn(key)))),
  copy: on(({ entries }) => ({ kind: "dict", entries: new Map(entries) })),
  _set_item: changes((dict, [key, value]) => {
    if (value === undefined) return undefined;
    dict.entries.set(keyIn(key), value);
    return dict;
  }),
  update: changes((dict, [more]) => {
    if (more?.kind !== "dict") return undefined;
    for (const [key, value] of more.entries) dict.entries.set(key, value);
    return NONE_VALUE;
  }),
  pop: changes(
    (dict, [key, otherwise]) => taken(dict, keyIn(key)) ?? otherwise ?? unsupportedOp("a dict lacks a key"),
  ),
  Delete: changes((dict, [key]) => {
    if (taken(dict, keyIn(key)) === undefined) return unsupportedOp("a dict lacks a key");
    return NONE_VALUE;
  }),
  clear: changes((dict) => {
    dict.entries.clear();
    return NONE_VALUE;
  }),
};

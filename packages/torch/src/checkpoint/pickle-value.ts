/**
 * What a pickle says, as plain data. Nothing is ever looked up or called: a global is two strings, a call is a record of what the
 * file asked for. Nodes keep their identity, so that shared (and circular) objects stay shared: a walk over them must be bounded.
 */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PickleGlobal
  | PickleTuple
  | PickleList
  | PickleSet
  | PickleDict
  | PickleCall
  | PicklePersistent;

/** A name that Python would import, such as `torch._utils._rebuild_tensor_v2`. Python 2 spellings stay as they are. */
export interface PickleGlobal {
  readonly kind: "global";
  /** Module and name, joined by a dot. */
  readonly path: string;
}

export interface PickleTuple {
  readonly kind: "tuple";
  readonly items: readonly PickleValue[];
}

export interface PickleList {
  readonly kind: "list";
  readonly items: PickleValue[];
}

/** A set or frozenset, in the file's order and with its repetitions. */
export interface PickleSet {
  readonly kind: "set";
  readonly items: PickleValue[];
}

/** A dict in the file's order; a key that occurs twice is there twice, the later one counts. */
export interface PickleDict {
  readonly kind: "dict";
  readonly entries: [PickleValue, PickleValue][];
}

/** An object that Python would make by calling something: REDUCE, NEWOBJ, NEWOBJ_EX, INST or OBJ, and what came after it. */
export interface PickleCall {
  readonly kind: "call";
  readonly callee: PickleValue;
  readonly args: readonly PickleValue[];
  readonly kwargs: PickleDict | undefined;
  /** What BUILD would hand to `__setstate__` or write into `__dict__`; the last one counts. */
  state: PickleValue | undefined;
  /** What APPENDS or ADDITEMS would add. */
  readonly items: PickleValue[];
  /** What SETITEMS would set. */
  readonly entries: [PickleValue, PickleValue][];
}

/** An object outside the pickle; PyTorch's storages are tuples `("storage", type, key, location, numel)`. */
export interface PicklePersistent {
  readonly kind: "persistent";
  readonly id: PickleValue;
}

/** A value that has parts or an identity. */
export type PickleNode = Extract<PickleValue, { readonly kind: string }>;

/** The node behind a value when it is of one of the given kinds. */
export function asNode<K extends PickleNode["kind"]>(
  value: PickleValue | undefined,
  ...kinds: readonly K[]
): Extract<PickleNode, { readonly kind: K }> | undefined {
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return undefined;
  return (kinds as readonly string[]).includes(value.kind)
    ? (value as Extract<PickleNode, { readonly kind: K }>)
    : undefined;
}

/** The items of a tuple or a list. */
export function itemsOf(value: PickleValue | undefined): readonly PickleValue[] | undefined {
  return asNode(value, "tuple", "list")?.items;
}

/** The path that a call calls, such as `collections.OrderedDict`; undefined when it calls no plain global. */
export function calleeOf(value: PickleValue | undefined): string | undefined {
  return asNode(asNode(value, "call")?.callee, "global")?.path;
}

const DICT_CLASSES = new Set(["collections.OrderedDict", "collections.defaultdict", "collections.Counter"]);

/** The entries of a dict, OrderedDict, defaultdict or Counter; undefined for anything else. */
export function entriesOf(value: PickleValue | undefined): readonly [PickleValue, PickleValue][] | undefined {
  const dict = asNode(value, "dict");
  if (dict !== undefined) return dict.entries;
  const call = asNode(value, "call");
  if (call === undefined || !DICT_CLASSES.has(calleeOf(call) ?? "")) return undefined;
  // Python 2 wrote OrderedDict([[key, value], …]): the pairs are the call's argument.
  const pairs = itemsOf(call.args[0])?.flatMap((pair): [PickleValue, PickleValue][] => {
    const items = itemsOf(pair);
    return items?.length === 2 ? [[items[0]!, items[1]!]] : [];
  });
  return pairs === undefined ? call.entries : [...pairs, ...call.entries];
}

const SET_CLASSES = new Set([
  "__builtin__.set",
  "builtins.set",
  "__builtin__.frozenset",
  "builtins.frozenset",
]);

/** The members of a set or frozenset, as protocol 4 writes them or as the call that protocol 2 writes. */
export function membersOf(value: PickleValue | undefined): readonly PickleValue[] | undefined {
  const set = asNode(value, "set");
  if (set !== undefined) return set.items;
  return SET_CLASSES.has(calleeOf(value) ?? "") ? (itemsOf(asNode(value, "call")?.args[0]) ?? []) : undefined;
}

/** The value under a string key of a dict. */
export function entryOf(value: PickleValue | undefined, key: string): PickleValue | undefined {
  return entriesOf(value)?.findLast(([name]) => name === key)?.[1];
}

import { ModelFileError } from "../errors.ts";
import { type Builtin, equal } from "./builtin.ts";
import { numeric } from "./shapes/dims.ts";
import { UnprovenSize, unsupportedOp } from "./unsupported-op.ts";
import { int, isNumber, knownNumber, type ListValue, NONE_VALUE, type Value } from "./value.ts";

/** Lists of a program hold sizes and tensors, not data. */
const MAX_LIST = 20_000;

function checkLength(length: number): void {
  if (length > MAX_LIST)
    throw new ModelFileError("limit", `a list of the program has more than ${MAX_LIST} items`);
}

/** A builtin that changes the list it is given. A list of the archive's own would stay changed for the next call. */
const changes =
  (change: (list: ListValue, args: readonly Value[]) => Value | undefined): Builtin =>
  ([list, ...args]) => {
    if (list?.kind !== "list") return undefined;
    if (list.isStored === true)
      return unsupportedOp("it changes a list of the module, which would outlive the call");
    if (list.isChosen === true) return unsupportedOp(CHANGES_CHOSEN);
    return change(list, args);
  };

/** Why a list stays as it is that branches have put together. */
export const CHANGES_CHOSEN =
  "it changes a list that is one of several, by what only the run decides; change a copy of it (list(…))";

/** An integer that must be known now; undefined when there is none. */
export function knownIndex(value: Value | undefined): number | undefined {
  if (value === undefined || value.kind === "none") return undefined;
  if (isNumber(value) && typeof value.value !== "number")
    throw new UnprovenSize("an index depends on a size", { kind: "numbers", dims: [value.value] });
  return knownNumber(value) ?? unsupportedOp("an index depends on the data");
}

/** Where in a list an index points. */
function position(list: ListValue, index: Value | undefined): number {
  const at = knownIndex(index) ?? unsupportedOp("an index is missing");
  const positive = at < 0 ? at + list.items.length : at;
  return positive >= 0 && positive < list.items.length ? positive : unsupportedOp("a list is too short");
}

const append = changes((list, [item]) => {
  if (item === undefined) return undefined;
  checkLength(list.items.length + 1);
  list.items.push(item);
  return list;
});

const extend = changes((list, [more]) => {
  if (more?.kind !== "list") return undefined;
  checkLength(list.items.length + more.items.length);
  list.items.push(...more.items);
  return list;
});

const insert = changes((list, [at, item]) => {
  const index = knownIndex(at);
  if (index === undefined || item === undefined) return undefined;
  list.items.splice(index, 0, item);
  return NONE_VALUE;
});

const pop = changes((list, [at]) => {
  const index = at === undefined ? list.items.length - 1 : position(list, at);
  return list.items.splice(index, 1)[0] ?? unsupportedOp("a list is empty");
});

const remove = changes((list, [item]) => {
  list.items.splice(indexOf(list, item), 1);
  return NONE_VALUE;
});

const drop = changes((list, [at]) => {
  list.items.splice(position(list, at), 1);
  return NONE_VALUE;
});

const clear = changes((list) => {
  list.items.length = 0;
  return NONE_VALUE;
});

const reverse = changes((list) => {
  list.items.reverse();
  return NONE_VALUE;
});

const setItem = changes((list, [at, value]) => {
  if (value === undefined) return undefined;
  list.items[position(list, at)] = value;
  return list;
});

/** Numbers in ascending order; other lists are not sorted. */
function sortedItems(list: ListValue): Value[] {
  const numbers = list.items.filter(isNumber);
  if (numbers.length < list.items.length) return unsupportedOp("it sorts what is not a number");
  return [...numbers].sort((a, b) => numeric(a.value) - numeric(b.value));
}

const sort = changes((list, args) => {
  const isReversed = args.length === 1 ? knownNumber(args[0]!) : 0;
  if (args.length > 1 || isReversed !== 0) return undefined;
  list.items.splice(0, list.items.length, ...sortedItems(list));
  return NONE_VALUE;
});

export const sorted: Builtin = ([list, ...others]) =>
  list?.kind === "list" && others.length === 0 ? { kind: "list", items: sortedItems(list) } : undefined;

function indexOf(list: ListValue, item: Value | undefined): number {
  if (item === undefined) return unsupportedOp("an argument is missing");
  for (const [at, other] of list.items.entries()) if (surely(other, item)) return at;
  return unsupportedOp("a list lacks an item");
}

function surely(a: Value, b: Value): boolean {
  return equal(a, b) ?? unsupportedOp("whether two items are equal depends on the data");
}

const slice: Builtin = ([list, start, end, step]) => {
  if (list?.kind !== "list" && list?.kind !== "tuple") return undefined;
  const by = knownIndex(step) ?? 1;
  if (by === 0) return unsupportedOp("a slice has the step 0");
  const { length } = list.items;
  const bound = (index: number): number =>
    Math.min(Math.max(index < 0 ? index + length : index, by < 0 ? -1 : 0), by < 0 ? length - 1 : length);
  const [from, until] = [knownIndex(start), endOf(knownIndex(end), by)];
  const first = from === undefined ? (by < 0 ? length - 1 : 0) : bound(from);
  const last = until === undefined ? (by < 0 ? -1 : length) : bound(until);
  const items: Value[] = [];
  for (let at = first; by > 0 ? at < last : at > last; at += by) items.push(list.items[at]!);
  return { kind: list.kind, items };
};

/** The default end is written as the largest integer. */
function endOf(end: number | undefined, step: number): number | undefined {
  return end !== undefined && step < 0 && end >= Number.MAX_SAFE_INTEGER ? undefined : end;
}

const addLists: Builtin = ([a, b]) => {
  if (a?.kind !== "list" || b?.kind !== "list") return undefined;
  checkLength(a.items.length + b.items.length);
  return { kind: "list", items: [...a.items, ...b.items] };
};

const repeatList: Builtin = ([list, times]) => {
  if (list?.kind !== "list") return undefined;
  const count = knownIndex(times) ?? 0;
  checkLength(list.items.length * count);
  return { kind: "list", items: Array.from({ length: Math.max(0, count) }, () => list.items).flat() };
};

export const copyList: Builtin = ([list]) =>
  list?.kind === "list" || list?.kind === "tuple" ? { kind: "list", items: [...list.items] } : undefined;

const contains: Builtin = ([list, item]) => {
  if (list?.kind !== "list" || item === undefined) return undefined;
  const results = list.items.map((other) => equal(other, item));
  if (results.includes(true)) return { kind: "bool", value: 1 };
  return results.includes(undefined)
    ? unsupportedOp("whether two items are equal depends on the data")
    : { kind: "bool", value: 0 };
};

/** Functions of TorchScript's lists (torch/csrc/jit/runtime/register_prim_ops.cpp). */
export const LIST_BUILTINS: Readonly<Record<string, Builtin>> = {
  append,
  extend,
  insert,
  pop,
  remove,
  Delete: drop,
  clear,
  reverse,
  sort,
  sorted,
  slice,
  add: addLists,
  add_: extend,
  mul: repeatList,
  list: copyList,
  copy: copyList,
  __contains__: contains,
  _set_item: setItem,
  index: ([list, item]) => (list?.kind === "list" ? int(indexOf(list, item)) : undefined),
  count: ([list, item]) =>
    list?.kind === "list" && item !== undefined
      ? int(list.items.filter((other) => surely(other, item)).length)
      : undefined,
};

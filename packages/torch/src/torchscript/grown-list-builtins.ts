import type { TensorType } from "../graph/ir.ts";
import { type Dim, mul } from "../graph/sym.ts";
import { grownList, itemType, requireSameItems, setState } from "./grown-list.ts";
import { CHANGES_CHOSEN } from "./list-builtins.ts";
import type { OpCaller } from "./op-caller.ts";
import { axisOf } from "./shapes/dims.ts";
import { numberTensor } from "./stand-in.ts";
import { unsupportedOp } from "./unsupported-op.ts";
import {
  int,
  isGrown,
  isNumber,
  type ListValue,
  NONE_VALUE,
  type Rows,
  type TensorValue,
  type Value,
} from "./value.ts";

/** A call whose first argument is a list of which only the run knows the length. */
interface GrownCall {
  readonly list: ListValue & { readonly rows: Rows };
  readonly args: readonly Value[];
  readonly kwargs: ReadonlyMap<string, Value>;
  readonly ops: OpCaller;
}

type GrownBuiltin = (call: GrownCall) => Value | undefined;

/** The result of `torch.<name>` on the rows of such a list; undefined: the list is asked for its items, which refuses the call. */
export function grownBuiltin(name: string, call: GrownCall): Value | undefined {
  const builtin = Object.hasOwn(GROWN, name) ? GROWN[name] : undefined;
  if (call.list.isChosen === true && CHANGING.has(name)) return unsupportedOp(CHANGES_CHOSEN);
  return builtin?.(call);
}

const CHANGING = new Set(["append", "extend", "add_", "clear"]);

const listOf = (items: readonly Value[]): ListValue => ({ kind: "list", items: [...items] });

function tensorOf(ops: OpCaller, op: string, args: readonly Value[]): TensorValue {
  const result = ops.call({ op: `aten.${op}`, args, kwargs: new Map() });
  return result.kind === "tensor" ? result : unsupportedOp("a list is of no tensors");
}

/** The rows with those of more items under them. */
function longer({ list, ops }: GrownCall, more: Value | undefined): Rows {
  const { tensor, number } = list.rows;
  const own = { ...tensor.type, dims: tensor.type.dims.slice(1), number };
  if (isGrown(more)) {
    const other = more.rows.tensor.type;
    requireSameItems(own, { ...other, dims: other.dims.slice(1), number: more.rows.number });
    return { number, tensor: tensorOf(ops, "cat", [listOf([tensor, more.rows.tensor]), int(0)]) };
  }
  if (more?.kind !== "list") return unsupportedOp("it joins a list with something else");
  const parts = more.items.map((given) => {
    const item = ops.current(given);
    requireSameItems(own, itemType(item));
    ops.keepApart(item);
    return tensorOf(ops, "unsqueeze", [isNumber(item) ? numberTensor(item) : item, int(0)]);
  });
  if (parts.length === 0) return list.rows;
  return { number, tensor: tensorOf(ops, "cat", [listOf([tensor, ...parts]), int(0)]) };
}

const extend: GrownBuiltin = (call) => {
  setState(call.list, { items: [], rows: longer(call, call.args[1]) });
  return call.list;
};

const append: GrownBuiltin = (call) => {
  const item = call.args[1];
  if (item === undefined) return undefined;
  setState(call.list, { items: [], rows: longer(call, listOf([item])) });
  return call.list;
};

const clear: GrownBuiltin = ({ list }) => {
  setState(list, { items: [], rows: undefined });
  return NONE_VALUE;
};

const item: GrownBuiltin = ({ list, args, ops }) => {
  const index = args[1];
  if (index === undefined || !isNumber(index)) return undefined;
  const row = tensorOf(ops, "select", [list.rows.tensor, int(0), index]);
  return list.rows.number === undefined ? row : ops.numberOf(row);
};

const slice: GrownBuiltin = ({ list, args, ops }) => {
  const { tensor, number } = list.rows;
  return grownList({ number, tensor: tensorOf(ops, "slice", [tensor, int(0), ...args.slice(1)]) });
};

/** The dimension that a call names, of so many. */
function dimOf({ args, kwargs }: GrownCall, rank: number): number {
  const dim = args[1] ?? kwargs.get("dim") ?? int(0);
  if (dim.kind !== "int" || typeof dim.value !== "number")
    return unsupportedOp("the dimension of a join depends on the data");
  return axisOf(dim.value, rank);
}

/** The rows, behind a check that there are some. */
function someRows({ list, ops }: GrownCall, what: string): TensorValue {
  const { tensor } = list.rows;
  ops.requireSome(tensor.type.dims[0]!, `${what} is not defined for a list without tensors`);
  return tensor;
}

/** The rows with their dimension elsewhere, in memory of their own. */
function moved(ops: OpCaller, list: TensorValue, to: number): TensorValue {
  const rows = tensorOf(ops, "clone", [list]);
  if (to === 0) return rows;
  const others = rows.type.dims.map((_, axis) => axis).slice(1);
  const order = [...others.slice(0, to), 0, ...others.slice(to)];
  return tensorOf(ops, "permute", [rows, listOf(order.map(int))]);
}

const stack: GrownBuiltin = (call) => {
  const rows = someRows(call, "torch.stack");
  return moved(call.ops, rows, dimOf(call, rows.type.dims.length));
};

const cat: GrownBuiltin = (call) => {
  const rows = someRows(call, "torch.cat");
  const { dims }: TensorType = rows.type;
  if (dims.length < 2) return unsupportedOp("it joins tensors without dimensions");
  const axis = dimOf(call, dims.length - 1);
  const item = dims.slice(1);
  const sizes: Dim[] = item.with(axis, mul(dims[0]!, item[axis]!));
  return tensorOf(call.ops, "reshape", [moved(call.ops, rows, axis), listOf(sizes.map(int))]);
};

const GROWN: Readonly<Record<string, GrownBuiltin>> = {
  append,
  extend,
  add_: extend,
  add: (call) => grownList(longer(call, call.args[1])),
  clear,
  slice,
  stack,
  cat,
  concat: cat,
  __getitem__: item,
  len: ({ list }) => int(list.rows.tensor.type.dims[0]!),
  list: ({ list }) => grownList(list.rows),
  copy: ({ list }) => grownList(list.rows),
};

import { type Dim, sameDim } from "../graph/sym.ts";
import type { GraphRecorder } from "./graph-recorder.ts";
import { tensorType } from "./shapes/shape-args.ts";
import { numberTensor, zerosOf } from "./stand-in.ts";
import { ADVICE, unsupportedOp } from "./unsupported-op.ts";
import {
  isNumber,
  type ListValue,
  type NumberValue,
  type Rows,
  type TensorValue,
  type Value,
} from "./value.ts";

/** What a list holds: items that are known one by one, or rows. */
export interface ListState {
  readonly items: readonly Value[];
  readonly rows: Rows | undefined;
}

export function stateOf(list: ListValue): ListState {
  return list.rows === undefined
    ? { items: [...list.items], rows: undefined }
    : { items: [], rows: list.rows };
}

/** Makes a list hold something else, for all that hold the list. */
export function setState(list: ListValue, { items, rows }: ListState): void {
  list.rows = rows;
  const held = [...items];
  Object.defineProperty(list, "items", {
    configurable: true,
    enumerable: true,
    get: () => (rows === undefined ? held : refuseItems()),
  });
}

function refuseItems(): never {
  return unsupportedOp(
    "it asks for single items of a list that the data lengthen; join them behind the loop with torch.stack or torch.cat",
  );
}

export function grownList(rows: Rows): ListValue {
  const list: ListValue = { kind: "list", items: [] };
  setState(list, { items: [], rows });
  return list;
}

export function isSameState(a: ListState, b: ListState): boolean {
  if (a.rows !== undefined || b.rows !== undefined) return a.rows?.tensor === b.rows?.tensor;
  return a.items.length === b.items.length && a.items.every((item, i) => item === b.items[i]);
}

/** What the items of a list are, all of one type. */
export interface ItemType {
  readonly dtype: TensorValue["type"]["dtype"];
  readonly dims: readonly Dim[];
  readonly number: NumberValue["kind"] | undefined;
}

export function itemType(item: Value): ItemType {
  if (isNumber(item)) return { ...numberTensor(item).type, number: item.kind };
  if (item.kind === "tensor") return { ...item.type, number: undefined };
  return unsupportedOp(`it appends a ${item.kind} to a list as often as the data say: ${ADVICE}`);
}

/** The type of the items in several states of one list; undefined where there are none. Throws UnsupportedOp where they differ. */
export function commonItemType(states: readonly ListState[]): ItemType | undefined {
  const types = states.flatMap(({ items, rows }) =>
    rows === undefined
      ? items.map(itemType)
      : [{ ...rows.tensor.type, dims: rows.tensor.type.dims.slice(1), number: rows.number }],
  );
  for (const type of types.slice(1)) requireSameItems(types[0]!, type);
  return types[0];
}

/** Throws UnsupportedOp unless both have one dtype and provably one size: the list is to become one tensor. */
export function requireSameItems(a: ItemType, b: ItemType): void {
  const isSame =
    a.dtype === b.dtype &&
    a.number === b.number &&
    a.dims.length === b.dims.length &&
    a.dims.every((dim, axis) => sameDim(dim, b.dims[axis]!));
  if (!isSame)
    unsupportedOp(
      `it appends tensors of another dtype or size to a list as often as the data say; make them equal in size: ${ADVICE}`,
    );
}

/** The tensor of a list's rows, recorded where the recorder stands. */
export function rowsOf(recorder: GraphRecorder, { items, rows }: ListState, type: ItemType): TensorValue {
  if (rows !== undefined) return rows.tensor;
  const all = tensorType(type.dtype, [items.length, ...type.dims]);
  if (items.length === 0) return zerosOf(recorder, all);
  const tensors = items.map((item) => (isNumber(item) ? numberTensor(item) : item));
  for (const tensor of tensors) keepApart(recorder, tensor);
  const args = new Map([
    ["tensors", recorder.arg({ kind: "list", items: tensors }, "Tensor[]")],
    ["dim", recorder.arg({ kind: "int", value: 0 }, "int")],
  ]);
  return recorder.emit("aten.stack.default", args, [all])[0]!;
}

/** Remembers that a list holds a copy of a tensor, which would not see a write. */
export function keepApart(recorder: GraphRecorder, item: Value): void {
  if (item.kind === "tensor" && item.name !== undefined) recorder.sharing.keep(item.name);
}

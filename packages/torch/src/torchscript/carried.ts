import type { TensorType } from "../graph/ir.ts";
import { type Dim, sameDim } from "../graph/sym.ts";
import type { Frame, ListStates } from "./containers.ts";
import { dataNumber } from "./data-number.ts";
import type { GraphRecorder } from "./graph-recorder.ts";
import {
  commonItemType,
  grownList,
  type ItemType,
  isSameState,
  type ListState,
  rowsOf,
  setState,
  stateOf,
} from "./grown-list.ts";
import { tensorType } from "./shapes/shape-args.ts";
import { numberTensor, standIn } from "./stand-in.ts";
import { UnsupportedOp, unsupportedOp } from "./unsupported-op.ts";
import { isNumber, isUnset, type ListValue, type TensorValue, UNSET, type Value } from "./value.ts";

/** A tensor that goes round in a loop: a variable's, a number's, an item's of a tuple or list, or that of a list's rows. */
export interface Carried {
  readonly name: string;
  /** Where it is among the variables and lists, `x[1]`: one place has one key. */
  readonly key: string;
  type: TensorType;
  /** Of a list that grows: the sizes of its items stay. */
  readonly isRows: boolean;
  /** The tensor that it is before the loop, where it is one of the program's. */
  readonly first?: string | undefined;
  /** What it is before the loop, recorded where the recorder stands. */
  initial(): TensorValue;
  /** What it is in these variables, recorded where the recorder stands. */
  read(frame: Frame): TensorValue;
  write(frame: Frame, tensor: TensorValue): void;
}

/** A place among the variables. */
interface Place {
  readonly name: string;
  readonly key: string;
  read(frame: Frame): Value;
  write(frame: Frame, value: Value): void;
}

/** Gives a variable what is the same in every turn. */
interface Fixed {
  readonly key: string;
  readonly value: Value;
  set(frame: Frame): void;
}

/** What turns change, found by one turn. */
export interface Changes {
  readonly carried: readonly Carried[];
  readonly fixed: readonly Fixed[];
}

/** Both changes together; undefined where the later ones say nothing that the first do not. A list whose length changes is no longer one of single items. */
export function joinedChanges(known: Changes, later: Changes): Changes | undefined {
  const isCovered = (key: string, by: Changes): boolean =>
    [...by.carried, ...by.fixed].some((item) => key === item.key || key.startsWith(`${item.key}[`));
  const carried = later.carried.filter(({ key }) => !isCovered(key, known));
  const fixed = later.fixed.filter(({ key }) => !isCovered(key, known));
  for (const { key, value } of known.fixed) {
    const other = later.fixed.find((item) => item.key === key);
    if (other !== undefined ? isOther(value, other.value) : later.carried.some((item) => item.key === key))
      unsupportedOp(`'${key}' is of another kind in some turns of a loop whose end only the run knows`);
  }
  if (carried.length + fixed.length === 0) return undefined;
  return {
    carried: [...known.carried.filter(({ key }) => !isCovered(key, { carried, fixed })), ...carried],
    fixed: [...known.fixed.filter(({ key }) => !isCovered(key, { carried, fixed })), ...fixed],
  };
}

/** Compares the variables before a turn with those after it. Throws UnsupportedOp for what cannot go round. */
export class TurnChanges {
  readonly #recorder: GraphRecorder;
  readonly #lists: ListStates;
  readonly #isKnown: (dim: Dim) => boolean;
  readonly #fixed: Fixed[] = [];

  /** `isKnown`: whether a size is known before the loop. */
  constructor(recorder: GraphRecorder, lists: ListStates, isKnown: (dim: Dim) => boolean) {
    this.#recorder = recorder;
    this.#lists = lists;
    this.#isKnown = isKnown;
  }

  /** `changed`: the lists after the turn. */
  between(before: Frame, after: Frame, changed: ReadonlyMap<ListValue, ListState>): Changes {
    const carried = [...before.keys()].flatMap((name) => {
      const [was, is] = [before.get(name)!, after.get(name)!].map((value) => this.#recorder.current(value));
      const place = {
        name,
        key: name,
        read: (frame: Frame): Value => frame.get(name)!,
        write: (frame: Frame, value: Value) => void frame.set(name, value),
      };
      return this.#leaves(place, was!, is!);
    });
    const inLists = [...changed].flatMap(([list, state]) => {
      const place: ListPlace = {
        name: "a list",
        key: `list ${this.#lists.numberOf(list)}`,
        read: () => stateOf(list),
        write: (_, now) => setState(list, now),
      };
      return this.#inList(place, this.#lists.before(list), state);
    });
    return { carried: [...carried, ...inLists], fixed: this.#fixed };
  }

  #leaves(place: Place, was: Value, is: Value): Carried[] {
    const { name } = place;
    if (was === is) return [];
    if (isUnset(was) && isSettled(is, this.#lists)) {
      this.#fixed.push({ key: place.key, value: is, set: (frame) => place.write(frame, is) });
      return [];
    }
    if (was.kind === "list" && is.kind === "list") {
      const asState: ListPlace = {
        name,
        key: place.key,
        read: (frame) => stateOf(place.read(frame) as ListValue),
        write: (frame, state) => place.write(frame, listOf(state)),
      };
      const [a, b] = [stateOf(was), stateOf(is)];
      return isSameState(a, b) ? [] : this.#inList(asState, a, b);
    }
    if (is.kind === "tuple" && (isUnset(was) || was.kind === "tuple")) return this.#inTuple(place, was, is);
    if (was.kind === "unknown" && is.kind === "unknown") return [];
    if ((was.kind === "unknown" && !isUnset(was)) || (is.kind === "unknown" && !isUnset(is)))
      throw new UnsupportedOp(`'${name}' has a result that is not known`, { isFollower: true });
    return this.#leaf(place, was, is);
  }

  #leaf(place: Place, was: Value, is: Value): Carried[] {
    const { name } = place;
    if (isNumber(was) && isNumber(is) && was.kind === is.kind && sameDim(was.value, is.value)) return [];
    const [first, last] = [isUnset(was) ? is : was, isUnset(is) ? was : is];
    if (isNumber(first) && isNumber(last)) {
      if (first.kind !== last.kind)
        return unsupportedOp(`'${name}' changes its type in a loop whose end only the run knows`);
      const initial = numberTensor(isUnset(was) ? { kind: first.kind, value: 0 } : first);
      const write = (frame: Frame, tensor: TensorValue): void =>
        place.write(frame, dataNumber(this.#recorder, tensor));
      return [{ ...this.#carried(place, initial.type), initial: () => initial, write }];
    }
    if (first.kind !== "tensor" || last.kind !== "tensor")
      return unsupportedOp(`'${name}' changes in a loop whose end only the run knows, and is no tensor`);
    if (first.name !== undefined && was === first && first.name === last.name) return [];
    if (first.type.dtype !== last.type.dtype || first.type.dims.length !== last.type.dims.length)
      return unsupportedOp(
        `'${name}' changes its dtype or number of dimensions in a loop whose end only the run knows`,
      );
    const type = tensorType(first.type.dtype, first.type.dims);
    if (!isUnset(was)) return [{ ...this.#carried(place, type), first: first.name, initial: () => first }];
    return [{ ...this.#carried(place, type), initial: () => standIn(this.#recorder, type, this.#isKnown) }];
  }

  #carried(place: Place, type: TensorType): Omit<Carried, "initial"> {
    const read = (frame: Frame): TensorValue => {
      const value = this.#recorder.current(place.read(frame));
      if (value.kind === "tensor") return value;
      if (isNumber(value)) return numberTensor(value);
      if (isUnset(value)) return standIn(this.#recorder, type, this.#isKnown);
      return unsupportedOp(`'${place.name}' is no tensor behind a turn`);
    };
    return {
      name: place.name,
      key: place.key,
      type,
      isRows: false,
      read,
      write: (frame, tensor) => place.write(frame, tensor),
    };
  }

  #inTuple(place: Place, was: Value, is: ListValue): Carried[] {
    const before = was.kind === "tuple" ? was.items : is.items.map(() => UNSET);
    if (before.length !== is.items.length)
      return unsupportedOp(`'${place.name}' changes its length in a loop whose end only the run knows`);
    const itemsAt = (frame: Frame): readonly Value[] => {
      const tuple = place.read(frame);
      return tuple.kind === "tuple" ? tuple.items : is.items.map(() => UNSET);
    };
    return is.items.flatMap((item, i) => {
      const at: Place = {
        name: place.name,
        key: `${place.key}[${i}]`,
        read: (frame) => itemsAt(frame)[i]!,
        write: (frame, value) => place.write(frame, { ...is, items: itemsAt(frame).with(i, value) }),
      };
      return this.#leaves(at, this.#recorder.current(before[i]!), this.#recorder.current(item));
    });
  }

  #inList(place: ListPlace, was: ListState, is: ListState): Carried[] {
    const isPlain = was.rows === undefined && is.rows === undefined;
    if (isPlain && was.items.length === is.items.length)
      return is.items.flatMap((item, i) => {
        const at: Place = {
          name: place.name,
          key: `${place.key}[${i}]`,
          read: (frame) => itemAt(place.read(frame), i, is.items.length),
          write: (frame, value) => {
            const state = place.read(frame);
            place.write(frame, { ...state, items: state.items.with(i, value) });
          },
        };
        return this.#leaves(at, this.#recorder.current(was.items[i]!), this.#recorder.current(item));
      });
    const type = commonItemType([was, is])!;
    if (!type.dims.every(this.#isKnown))
      return unsupportedOp(
        "a loop whose end only the run knows appends tensors whose sizes only the run knows",
      );
    return [this.#rows(place, was, type)];
  }

  #rows(place: ListPlace, was: ListState, type: ItemType): Carried {
    return {
      name: place.name,
      key: place.key,
      type: tensorType(type.dtype, [was.rows?.tensor.type.dims[0] ?? was.items.length, ...type.dims]),
      isRows: true,
      initial: () => rowsOf(this.#recorder, was, type),
      read: (frame) => {
        const state = place.read(frame);
        commonItemType([state, was]);
        return rowsOf(this.#recorder, state, type);
      },
      write: (frame, tensor) => place.write(frame, { items: [], rows: { tensor, number: type.number } }),
    };
  }
}

interface ListPlace {
  readonly name: string;
  readonly key: string;
  read(frame: Frame): ListState;
  write(frame: Frame, state: ListState): void;
}

function listOf({ items, rows }: ListState): ListValue {
  return rows === undefined ? { kind: "list", items: [...items] } : grownList(rows);
}

function itemAt({ items, rows }: ListState, at: number, length: number): Value {
  if (rows !== undefined || items.length !== length)
    return unsupportedOp("a list changes its length in a loop whose end only the run knows");
  return items[at]!;
}

function isOther(a: Value, b: Value): boolean {
  if (a === b || (a.kind === "none" && b.kind === "none")) return false;
  return a.kind !== b.kind || !("value" in a && "value" in b && a.value === b.value);
}

/** Whether a value is the same whatever turn gives it. */
function isSettled(value: Value, lists: ListStates): boolean {
  if (value.kind === "list") return lists.has(value);
  return !(value.kind === "tensor" || value.kind === "tuple" || value.kind === "unknown" || isNumber(value));
}

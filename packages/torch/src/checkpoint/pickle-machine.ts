import { ModelFileError } from "../errors.ts";
import type { PickleCursor } from "./pickle-cursor.ts";
import type { PickleLimits } from "./pickle-limits.ts";
import { asNode, type PickleCall, type PickleValue } from "./pickle-value.ts";

/** The state of the pickle machine: a stack with marks and a memo. It builds data; it can call nothing. */
export class PickleMachine {
  readonly cursor: PickleCursor;
  readonly limits: PickleLimits;
  readonly #stack: PickleValue[] = [];
  readonly #marks: number[] = [];
  readonly #memo = new Map<number, PickleValue>();

  constructor(cursor: PickleCursor, limits: PickleLimits) {
    this.cursor = cursor;
    this.limits = limits;
  }

  push(value: PickleValue): void {
    if (this.#stack.length >= this.limits.maxStack) {
      throw new ModelFileError("limit", `the pickle stacks more than ${this.limits.maxStack} values`);
    }
    this.#stack.push(value);
  }

  pop(): PickleValue {
    const floor = this.#marks.at(-1) ?? 0;
    if (this.#stack.length <= floor)
      throw new ModelFileError("corrupt", "the pickle pops from an empty stack");
    return this.#stack.pop()!;
  }

  /** The value on top, which stays there. */
  top(): PickleValue {
    const value = this.pop();
    this.#stack.push(value);
    return value;
  }

  mark(): void {
    if (this.#marks.length >= this.limits.maxMarks) {
      throw new ModelFileError("limit", `the pickle nests more than ${this.limits.maxMarks} marks`);
    }
    this.#marks.push(this.#stack.length);
  }

  /** Pops everything above the last mark, and the mark. */
  popToMark(): PickleValue[] {
    const mark = this.#marks.pop();
    if (mark === undefined) throw new ModelFileError("corrupt", "the pickle has no mark where it needs one");
    return this.#stack.splice(mark);
  }

  /** POP: drops the value on top, or the mark when nothing lies above it. */
  drop(): void {
    if (this.#marks.at(-1) === this.#stack.length) this.#marks.pop();
    else this.pop();
  }

  remember(index: number): void {
    if (this.#memo.size >= this.limits.maxMemo && !this.#memo.has(index)) {
      throw new ModelFileError("limit", `the pickle remembers more than ${this.limits.maxMemo} values`);
    }
    this.#memo.set(index, this.top());
  }

  /** MEMOIZE: remembers the value on top under the next free index. */
  memoize(): void {
    this.remember(this.#memo.size);
  }

  recall(index: number): void {
    const value = this.#memo.get(index);
    if (value === undefined)
      throw new ModelFileError("corrupt", `the pickle recalls value ${index}, which it never set`);
    this.push(value);
  }

  /** REDUCE and its kin: records a call, makes none. */
  call(callee: PickleValue, args: readonly PickleValue[], kwargs?: PickleValue): void {
    const named = kwargs === undefined ? undefined : asNode(kwargs, "dict");
    if (kwargs !== undefined && named === undefined) {
      throw new ModelFileError("corrupt", "the pickle makes an object with bad keyword arguments");
    }
    const call: PickleCall = {
      kind: "call",
      callee,
      args,
      kwargs: named,
      state: undefined,
      items: [],
      entries: [],
    };
    this.push(call);
  }

  /** APPENDS, ADDITEMS: adds to the list, set or object on top. */
  append(values: readonly PickleValue[]): void {
    const target = asNode(this.top(), "list", "set", "call");
    if (target === undefined) throw new ModelFileError("corrupt", "the pickle appends to what is not a list");
    for (const value of values) target.items.push(value);
  }

  /** SETITEMS: keys and values in turn, for the dict or object on top. */
  setItems(flat: readonly PickleValue[]): void {
    const target = asNode(this.top(), "dict", "call");
    if (target === undefined || flat.length % 2 !== 0) {
      throw new ModelFileError("corrupt", "the pickle sets items of what is not a dict");
    }
    for (let at = 0; at < flat.length; at += 2) target.entries.push([flat[at]!, flat[at + 1]!]);
  }

  /** BUILD: records a state, sets nothing. */
  build(state: PickleValue): void {
    const target = asNode(this.top(), "call");
    if (target === undefined)
      throw new ModelFileError("corrupt", "the pickle sets the state of what is not an object");
    target.state = state;
  }

  /** STOP: the one value that must be left. */
  finish(): PickleValue {
    const value = this.pop();
    if (this.#stack.length > 0 || this.#marks.length > 0) {
      throw new ModelFileError("corrupt", "the pickle ends with values left over");
    }
    return value;
  }
}

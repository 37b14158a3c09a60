import { isSameState, type ListState, setState, stateOf } from "./grown-list.ts";
import { ADVICE, unsupportedOp } from "./unsupported-op.ts";
import type { ListValue, Value } from "./value.ts";

/** The variables of one call. */
export type Frame = Map<string, Value>;

/** A check, for later, that no dictionary or object that the variables hold has changed. Throws UnsupportedOp. */
export function watchContainers(frame: Frame, where: string): () => void {
  const kept = [...containersIn(frame.values())]
    .filter(({ kind }) => kind !== "list")
    .map((container) => [container, snapshot(container)] as const);
  return () => {
    for (const [container, items] of kept) {
      const now = snapshot(container);
      if (items.length !== now.length || items.some((item, i) => item !== now[i]))
        unsupportedOp(`${where} changes a dictionary or object: ${ADVICE}`);
    }
  };
}

/** The lists that variables hold, as they were when this was made. */
export class ListStates {
  readonly #before: ReadonlyMap<ListValue, ListState>;

  constructor(frame: Frame) {
    const lists = [...containersIn(frame.values())].filter((item): item is ListValue => item.kind === "list");
    this.#before = new Map(lists.map((list) => [list, stateOf(list)]));
  }

  has(list: ListValue): boolean {
    return this.#before.has(list);
  }

  /** Which of them a list is. */
  numberOf(list: ListValue): number {
    return [...this.#before.keys()].indexOf(list);
  }

  before(list: ListValue): ListState {
    return this.#before.get(list)!;
  }

  /** What those that are others now have become. */
  changed(): Map<ListValue, ListState> {
    const now = [...this.#before.keys()].map((list) => [list, stateOf(list)] as const);
    return new Map(now.filter(([list, state]) => !isSameState(state, this.before(list))));
  }

  /** Takes all changes back. */
  restore(): void {
    for (const list of this.changed().keys()) setState(list, this.before(list));
  }
}

type Container = Extract<Value, { kind: "list" | "tuple" | "dict" | "object" }>;

function* containersIn(values: Iterable<Value>, seen: Set<Value> = new Set()): Generator<Container> {
  for (const value of values) {
    const isContainer =
      value.kind === "list" || value.kind === "tuple" || value.kind === "dict" || value.kind === "object";
    if (!isContainer || seen.has(value)) continue;
    seen.add(value);
    yield value;
    yield* containersIn(snapshot(value), seen);
  }
}

function snapshot(value: Container): readonly Value[] {
  if (value.kind === "dict") return [...value.entries.values()];
  if (value.kind === "object") return [...value.attributes.values()];
  return value.kind === "list" ? stateOf(value).items : [...value.items];
}

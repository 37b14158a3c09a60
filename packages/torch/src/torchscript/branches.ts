import { valuesOf } from "../graph/dead-code.ts";
import type { Arg, Graph, Node, TensorType } from "../graph/ir.ts";
import { type Dim, sameDim, sym, symbolsOf } from "../graph/sym.ts";
import { type Frame, ListStates, watchContainers } from "./containers.ts";
import { dataNumber } from "./data-number.ts";
import type { GraphRecorder } from "./graph-recorder.ts";
import { commonItemType, type ListState, rowsOf, setState, stateOf } from "./grown-list.ts";
import { requireApart } from "./outer-writes.ts";
import { tensorType } from "./shapes/shape-args.ts";
import { numberTensor, standIn } from "./stand-in.ts";
import { unsupportedOp } from "./unsupported-op.ts";
import {
  isGrown,
  isNumber,
  isUnset,
  type ListValue,
  type NumberValue,
  type TensorValue,
  UNKNOWN,
  UNSET,
  type Value,
} from "./value.ts";

/** One way that a program may go, with the variables at its end. */
interface Way {
  readonly nodes: readonly Node[];
  readonly frame: Frame;
  /** Those that it changes. */
  readonly lists: ReadonlyMap<ListValue, ListState>;
}

/** Two tensors of which the run decides which one it is, each recorded at the end of its way. */
interface Pair {
  readonly yes: () => TensorValue;
  readonly no: () => TensorValue;
  readonly type: TensorType;
}

/**
 * An `if` whose condition only the run knows, by the data or by sizes that stay the caller's: both branches are read, and become the graphs of one node that answers every variable
 * that differs. A list that one of them lengthens becomes a tensor with a row for each item. Branches may not change dictionaries or attributes that others see, nor return.
 */
export class Branches {
  readonly #recorder: GraphRecorder;
  readonly #condition: NumberValue;
  readonly #before: ReadonlySet<string>;
  readonly #pairs: Pair[] = [];
  /** Lists whose rows are results. */
  readonly #chosenRows = new Map<ListValue, NonNullable<JoinedList["rows"]>>();

  constructor(recorder: GraphRecorder, condition: NumberValue) {
    this.#recorder = recorder;
    this.#condition = condition;
    this.#before = new Set(recorder.dataSizes);
  }

  /** Reads both ways from a frame, and leaves what they agree on in it. Throws UnsupportedOp where they cannot be joined. */
  run(frame: Frame, then: (frame: Frame) => void, otherwise: (frame: Frame) => void): void {
    const lists = new ListStates(frame);
    const [yes, no] = [this.#read(frame, lists, then), this.#read(frame, lists, otherwise)];
    const found = [...yes.frame].flatMap(([name, value]) => {
      const other = no.frame.get(name);
      return other === undefined ? [] : [[name, this.#joined(value, other, name)] as const];
    });
    const changed = [...new Set([...yes.lists.keys(), ...no.lists.keys()])].map((list) => {
      const [a, b] = [yes, no].map((way) => way.lists.get(list) ?? lists.before(list));
      return [list, this.#lists(a!, b!)] as const;
    });
    const written = this.#written(yes, no);
    const tensors = this.#emit(yes, no, written);
    const results = (placeholder: Placeholder): Value | undefined => {
      const tensor = tensors[placeholder.at];
      return placeholder.isNumber && tensor !== undefined ? dataNumber(this.#recorder, tensor) : tensor;
    };
    for (const [list, { at, number }] of this.#chosenRows)
      setState(list, { items: [], rows: { tensor: tensors[at]!, number } });
    for (const [list, { items, rows }] of changed) {
      const tensor = rows && tensors[rows.at];
      const held = items.map((item) =>
        item instanceof Placeholder ? (results(item) ?? UNKNOWN) : filled(item, results),
      );
      setState(list, { items: held, rows: tensor && { tensor, number: rows.number } });
    }
    frame.clear();
    for (const [name, value] of found) {
      frame.set(name, value instanceof Placeholder ? (results(value) ?? UNKNOWN) : filled(value, results));
    }
  }

  #read(frame: Frame, lists: ListStates, way: (frame: Frame) => void): Way {
    const own: Frame = new Map(frame);
    const check = watchContainers(frame, "a branch that only the run decides");
    try {
      const nodes = this.#recorder.capture(() => way(own));
      check();
      return { nodes, frame: own, lists: lists.changed() };
    } finally {
      lists.restore();
    }
  }

  /** Another list behind each way. */
  #chosen(a: ListValue, b: ListValue): Value | Placeholder {
    const states = [a, b].map(stateOf);
    const isPlain = states.every(({ rows }) => rows === undefined);
    if (!isPlain && states.some(({ items }) => !items.every(isItem))) return new Placeholder(-1);
    if (isPlain && a.items.length !== b.items.length && ![...a.items, ...b.items].every(isItem))
      return new Placeholder(-1);
    const { items, rows } = this.#lists(states[0]!, states[1]!);
    const list: ListValue = { kind: "list", items: items as Value[], isChosen: true };
    if (rows !== undefined) this.#chosenRows.set(list, rows);
    return list;
  }

  /** A list that holds other items behind each way. */
  #lists(a: ListState, b: ListState): JoinedList {
    const isPlain = a.rows === undefined && b.rows === undefined;
    if (isPlain && a.items.length === b.items.length)
      return { items: a.items.map((item, i) => this.#joined(item, b.items[i]!, "a list")), rows: undefined };
    const type = commonItemType([a, b])!;
    if (!type.dims.every((dim) => this.#isVisible(dim)))
      return unsupportedOp(
        "a branch that only the run decides appends tensors whose sizes only the run knows",
      );
    this.#pairs.push({
      yes: () => rowsOf(this.#recorder, a, type),
      no: () => rowsOf(this.#recorder, b, type),
      type: tensorType(type.dtype, [this.#recorder.dataSize(), ...type.dims]),
    });
    return { items: [], rows: { at: this.#pairs.length - 1, number: type.number } };
  }

  #joined(first: Value, second: Value, name: string): Value | Placeholder {
    const [a, b] = [this.#recorder.current(first), this.#recorder.current(second)];
    if (a === b) return a;
    if (isUnset(a) || isUnset(b)) return this.#settled(isUnset(a) ? b : a, isUnset(b), name);
    if (a.kind === "list" && b.kind === "list") return this.#chosen(a, b);
    if (a.kind === "tensor" && b.kind === "tensor") return this.#tensors(a, b, name);
    if (isNumber(a) && isNumber(b)) return this.#numbers(a, b, name);
    if (a.kind === "tuple" && b.kind === "tuple" && a.items.length === b.items.length) {
      const items = a.items.map((item, i) => this.#joined(item, b.items[i]!, name) as Value);
      return { ...a, items };
    }
    if (JSON.stringify(plain(a)) === JSON.stringify(plain(b)) && plain(a) !== undefined) return a;
    if (a.kind === "unknown" || b.kind === "unknown") return UNKNOWN;
    return new Placeholder(-1);
  }

  /** What one way gives to a variable that the other one leaves open. */
  #settled(given: Value, isYes: boolean, name: string): Value | Placeholder {
    if (given.kind === "tuple" || (given.kind === "list" && !isGrown(given))) {
      const items = given.items.map((item) =>
        isYes ? this.#joined(item, UNSET, name) : this.#joined(UNSET, item, name),
      );
      return items.every((item, i) => item === given.items[i])
        ? given
        : { ...given, items: items as Value[] };
    }
    const isSeen = isNumber(given) && this.#isVisible(given.value);
    if (isSeen || !(isNumber(given) || given.kind === "tensor")) return given;
    const tensor = isNumber(given) ? numberTensor(given) : given;
    const dims = tensor.type.dims.map((dim) => (this.#isVisible(dim) ? dim : this.#recorder.dataSize()));
    const type = tensorType(tensor.type.dtype, dims);
    const open = (): TensorValue => standIn(this.#recorder, type, (dim) => this.#isVisible(dim));
    const pair = isYes ? { yes: () => tensor, no: open } : { yes: open, no: () => tensor };
    this.#pairs.push({ ...pair, type });
    return new Placeholder(this.#pairs.length - 1, isNumber(given));
  }

  #numbers(a: NumberValue, b: NumberValue, name: string): Value | Placeholder {
    if (a.kind !== b.kind) return unsupportedOp(`'${name}' is of another type in each branch`);
    const isVisible = [a.value, b.value].every((value) => this.#isVisible(value));
    if (isVisible && sameDim(a.value, b.value)) return a;
    if (isVisible) return { kind: a.kind, value: sym("ite", this.#condition.value, a.value, b.value) };
    // What a branch reads from its own data comes out of it as a tensor.
    const pair = this.#tensors(numberTensor(a), numberTensor(b), name);
    return pair instanceof Placeholder ? new Placeholder(pair.at, true) : pair;
  }

  #tensors(yes: TensorValue, no: TensorValue, name: string): Placeholder | TensorValue {
    if (yes.name !== undefined && yes.name === no.name) return yes;
    const [a, b] = [yes.type, no.type];
    if (a.dtype !== b.dtype || a.dims.length !== b.dims.length)
      return unsupportedOp(`'${name}' has another dtype or number of dimensions in each branch`);
    const dims = a.dims.map((dim, axis) =>
      sameDim(dim, b.dims[axis]!) && this.#isVisible(dim) ? dim : this.#recorder.dataSize(),
    );
    this.#pairs.push({ yes: () => yes, no: () => no, type: tensorType(a.dtype, dims) });
    return new Placeholder(this.#pairs.length - 1);
  }

  #isVisible(dim: Dim): boolean {
    return [...symbolsOf(dim)].every((name) => !this.#recorder.dataSizes.has(name) || this.#before.has(name));
  }

  /** The tensors that a way writes into; behind both they are results. */
  #written(yes: Way, no: Way): string[] {
    const { sharing, values } = this.#recorder;
    const names = [...new Set([yes, no].flatMap(({ nodes }) => [...sharing.writtenBy(nodes)]))];
    for (const name of names) {
      const type = values.get(name);
      if (type?.kind !== "tensor") continue;
      const tensor: TensorValue = { kind: "tensor", name, type };
      this.#pairs.push({ yes: () => tensor, no: () => tensor, type });
    }
    return names;
  }

  #emit(yes: Way, no: Way, names: readonly string[]): TensorValue[] {
    if (this.#pairs.length === 0) return [];
    const graphs = [
      this.#graph(yes, ({ yes: tensor }) => tensor),
      this.#graph(no, ({ no: tensor }) => tensor),
    ];
    const operands = [...new Set(graphs.flatMap((graph) => this.#outer(graph)))];
    requireApart(this.#recorder, names, operands);
    const written = new Map(names.map((name, i) => [name, this.#pairs.length - names.length + i]));
    const graphArg = (graph: Graph): Arg => ({
      kind: "graph",
      graph: { ...graph, inputs: operands, written },
    });
    const args = new Map<string, Arg>([
      ["0", this.#recorder.arg(this.#condition, "bool")],
      ["1", graphArg(graphs[0]!)],
      ["2", graphArg(graphs[1]!)],
      ["3", { kind: "list", items: operands.map((name) => ({ kind: "value", name })) }],
    ]);
    return this.#recorder.emit(
      "higher_order.cond",
      args,
      this.#pairs.map(({ type }) => type),
    );
  }

  #graph(way: Way, pick: (pair: Pair) => () => TensorValue): Graph {
    const outputs: Arg[] = [];
    const more = this.#recorder.capture(() => {
      for (const pair of this.#pairs) outputs.push(this.#recorder.arg(pick(pair)(), "Tensor"));
    });
    return { inputs: [], outputs, nodes: [...way.nodes, ...more], values: this.#recorder.values };
  }

  /** The tensors that a graph takes from around it. */
  #outer({ nodes, outputs }: Graph): string[] {
    const own = new Set(nodes.flatMap((node) => node.outputs));
    const used = [...nodes.flatMap((node) => [...node.args.values()]), ...outputs].flatMap(valuesOf);
    const { values, weights } = this.#recorder;
    return used.filter((name) => !own.has(name) && !weights.has(name) && values.get(name)?.kind === "tensor");
  }
}

interface JoinedList {
  readonly items: readonly (Value | Placeholder)[];
  /** The result that holds them. */
  readonly rows: { readonly at: number; readonly number: NumberValue["kind"] | undefined } | undefined;
}

/** A result of the node that is not recorded yet; -1: none that has a value behind both ways. */
class Placeholder {
  readonly kind = "placeholder";
  readonly at: number;
  /** The number that the result holds is meant. */
  readonly isNumber: boolean;

  constructor(at: number, isNumber = false) {
    this.at = at;
    this.isNumber = isNumber;
  }
}

/** Whether a value can be an item of a list that becomes rows. */
function isItem(value: Value): boolean {
  return value.kind === "tensor" || isNumber(value);
}

function filled(value: Value, results: (placeholder: Placeholder) => Value | undefined): Value {
  if ((value.kind !== "list" && value.kind !== "tuple") || isGrown(value)) return value;
  const items = value.items as (Value | Placeholder)[];
  if (!items.some((item) => item instanceof Placeholder || item.kind === "list" || item.kind === "tuple"))
    return value;
  return {
    ...value,
    items: items.map((item) =>
      item instanceof Placeholder ? (results(item) ?? UNKNOWN) : filled(item, results),
    ),
  };
}

/** What has a text that says all of it. */
function plain(value: Value): unknown {
  return value.kind === "none" || value.kind === "string" || value.kind === "device" || value.kind === "path"
    ? value
    : undefined;
}

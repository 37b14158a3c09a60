import { valuesOf } from "../graph/dead-code.ts";
import type { Arg, Graph, Node, TensorType } from "../graph/ir.ts";
import { type Dim, sameDim, sym, symbolsOf } from "../graph/sym.ts";
import { dataNumber } from "./data-number.ts";
import type { GraphRecorder } from "./graph-recorder.ts";
import { tensorType } from "./shapes/shape-args.ts";
import { ADVICE, unsupportedOp } from "./unsupported-op.ts";
import { isNumber, type NumberValue, type TensorValue, UNKNOWN, type Value } from "./value.ts";

/** The variables of one call. */
export type Frame = Map<string, Value>;

/** One way that a program may go, with the variables at its end. */
interface Way {
  readonly nodes: readonly Node[];
  readonly frame: Frame;
}

/** Two tensors of which the run decides which one it is. */
interface Pair {
  readonly yes: TensorValue;
  readonly no: TensorValue;
  readonly type: TensorType;
}

/**
 * An `if` whose condition only the run knows, by the data or by sizes that stay the caller's: both branches are read, and become the graphs of one node that answers every variable
 * that differs. Branches may not change lists, dictionaries or attributes that others see, nor return.
 */
export class Branches {
  readonly #recorder: GraphRecorder;
  readonly #condition: NumberValue;
  readonly #before: ReadonlySet<string>;
  readonly #pairs: Pair[] = [];

  constructor(recorder: GraphRecorder, condition: NumberValue) {
    this.#recorder = recorder;
    this.#condition = condition;
    this.#before = new Set(recorder.dataSizes);
  }

  /** Reads both ways from a frame, and leaves what they agree on in it. Throws UnsupportedOp where they cannot be joined. */
  run(frame: Frame, then: (frame: Frame) => void, otherwise: (frame: Frame) => void): void {
    const [yes, no] = [this.#read(frame, then), this.#read(frame, otherwise)];
    const found = [...yes.frame].flatMap(([name, value]) => {
      const other = no.frame.get(name);
      return other === undefined ? [] : [[name, this.#joined(value, other, name)] as const];
    });
    const tensors = this.#emit(yes, no);
    const results = (placeholder: Placeholder): Value | undefined => {
      const tensor = tensors[placeholder.at];
      return placeholder.isNumber && tensor !== undefined ? dataNumber(this.#recorder, tensor) : tensor;
    };
    frame.clear();
    for (const [name, value] of found) {
      const known = value instanceof Placeholder ? results(value) : filled(value, results);
      if (known !== undefined) frame.set(name, known);
    }
  }

  #read(frame: Frame, way: (frame: Frame) => void): Way {
    const own: Frame = new Map(frame);
    const check = watchContainers(frame, "a branch that only the run decides");
    const nodes = this.#recorder.capture(() => way(own));
    check();
    return { nodes, frame: own };
  }

  #joined(first: Value, second: Value, name: string): Value | Placeholder {
    const [a, b] = [this.#recorder.current(first), this.#recorder.current(second)];
    if (a === b) return a;
    if (a.kind === "tensor" && b.kind === "tensor") return this.#tensors(a, b, name);
    if (isNumber(a) && isNumber(b)) return this.#numbers(a, b, name);
    if ((a.kind === "list" || a.kind === "tuple") && a.kind === b.kind && a.items.length === b.items.length) {
      const items = a.items.map((item, i) => this.#joined(item, b.items[i]!, name) as Value);
      return { ...a, items };
    }
    if (JSON.stringify(plain(a)) === JSON.stringify(plain(b)) && plain(a) !== undefined) return a;
    // A variable that only one way gives something to is not used behind the other.
    if (a.kind === "unknown") return b.kind === "tensor" ? UNKNOWN : b;
    if (b.kind === "unknown") return a.kind === "tensor" ? UNKNOWN : a;
    return new Placeholder(-1);
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
    this.#pairs.push({ yes, no, type: tensorType(a.dtype, dims) });
    return new Placeholder(this.#pairs.length - 1);
  }

  #isVisible(dim: Dim): boolean {
    return [...symbolsOf(dim)].every((name) => !this.#recorder.dataSizes.has(name) || this.#before.has(name));
  }

  #emit(yes: Way, no: Way): TensorValue[] {
    if (this.#pairs.length === 0) return [];
    const graphs = [
      this.#graph(yes, ({ yes: tensor }) => tensor),
      this.#graph(no, ({ no: tensor }) => tensor),
    ];
    const operands = [...new Set(graphs.flatMap((graph) => this.#outer(graph)))];
    const graphArg = (graph: Graph): Arg => ({ kind: "graph", graph: { ...graph, inputs: operands } });
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

  #graph(way: Way, pick: (pair: Pair) => TensorValue): Graph {
    const outputs: Arg[] = [];
    const more = this.#recorder.capture(() => {
      for (const pair of this.#pairs) outputs.push(this.#recorder.arg(pick(pair), "Tensor"));
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

const NUMBER_TYPES = { int: "int64", float: "float64", bool: "bool" } as const;

/** The 0-d tensor of a number. */
export function numberTensor(number: NumberValue): TensorValue {
  return { kind: "tensor", name: undefined, type: tensorType(NUMBER_TYPES[number.kind], []), number };
}

function filled(value: Value, results: (placeholder: Placeholder) => Value | undefined): Value {
  if (value.kind !== "list" && value.kind !== "tuple") return value;
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

/** A check, for later, that no list, dictionary or object that the variables hold has changed. Throws UnsupportedOp. */
export function watchContainers(frame: Frame, where: string): () => void {
  const kept = [...containersIn(frame.values())].map(
    (container) => [container, snapshot(container)] as const,
  );
  return () => {
    for (const [container, items] of kept) {
      const now = snapshot(container);
      if (items.length !== now.length || items.some((item, i) => item !== now[i]))
        unsupportedOp(`${where} changes a list or dictionary: ${ADVICE}`);
    }
  };
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
  return value.kind === "object" ? [...value.attributes.values()] : [...value.items];
}

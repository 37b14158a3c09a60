import { valuesOf } from "../graph/dead-code.ts";
import type { Arg, Graph, Node, TensorType } from "../graph/ir.ts";
import { type Dim, sameDim, symbolsOf } from "../graph/sym.ts";
import { type Carried, type Changes, joinedChanges, TurnChanges } from "./carried.ts";
import { type Frame, ListStates, watchContainers } from "./containers.ts";
import type { GraphRecorder } from "./graph-recorder.ts";
import { requireApart } from "./outer-writes.ts";
import { tensorType } from "./shapes/shape-args.ts";
import { numberTensor } from "./stand-in.ts";
import { unsupportedOp } from "./unsupported-op.ts";
import { isNumber, type NumberValue, type TensorValue, type Value } from "./value.ts";

/** What one turn does to the variables; answers whether there is another one. */
type Turn = (frame: Frame) => Value;

interface Body {
  readonly inputs: readonly TensorValue[];
  readonly nodes: readonly Node[];
  readonly outputs: readonly TensorValue[];
  readonly goesOn: TensorValue;
  /** The tensors around the loop that a turn writes into. */
  readonly written: readonly string[];
}

/**
 * A `while` whose condition only the run knows, by the data or by sizes that stay the caller's: its body is read once, with what it carries from turn to turn, and becomes the graph
 * of one node. Lists that turns lengthen become tensors with a row for each item. Turns may not change dictionaries or attributes, nor the dtype or number of dimensions of a variable.
 */
export class Loops {
  readonly #recorder: GraphRecorder;
  /** Sizes that turns change, by key. */
  readonly #own = new Set<string>();

  constructor(recorder: GraphRecorder) {
    this.#recorder = recorder;
  }

  /** Records the loop, and leaves what it gives in the frame. Throws UnsupportedOp where its turns differ in more than numbers. */
  run(frame: Frame, condition: NumberValue, turn: Turn): void {
    const lists = new ListStates(frame);
    const before = new Set(this.#recorder.dataSizes);
    const isKnown = (dim: Dim): boolean =>
      [...symbolsOf(dim)].every((name) => !this.#recorder.dataSizes.has(name) || before.has(name));
    // One turn on what is there, then turns on anything that may be there: these may change what the first one leaves.
    let changes: Changes = { carried: [], fixed: [] };
    for (let isFirst = true; ; isFirst = false) {
      const own: Frame = new Map(frame);
      const body = this.#read(own, changes, turn);
      const changed = lists.changed();
      lists.restore();
      const found = new TurnChanges(this.#recorder, lists, isKnown).between(frame, own, changed);
      const joined = joinedChanges(changes, found);
      const isWider = this.#widen(changes.carried, body);
      if (joined === undefined && !isWider && !isFirst) {
        this.#leave(frame, changes, this.#emit(condition, changes.carried, body));
        return;
      }
      changes = joined ?? changes;
    }
  }

  #leave(frame: Frame, { carried, fixed }: Changes, results: readonly TensorValue[]): void {
    for (const { set } of fixed) set(frame);
    for (const [i, { write }] of carried.entries()) write(frame, results[i]!);
  }

  /** A turn on what is carried, whatever it holds. Lists stay as the turn leaves them. */
  #read(own: Frame, { carried, fixed }: Changes, turn: Turn): Body {
    for (const { set } of fixed) set(own);
    const inputs = carried.map(({ name, type, first }) => {
      const input = this.#recorder.input(name, type);
      if (first !== undefined) this.#recorder.sharing.begin(input.name!, first);
      return input;
    });
    let goesOn: Value | undefined;
    const outputs: TensorValue[] = [];
    const nodes = this.#recorder.capture(() => {
      for (const [i, { write }] of carried.entries()) write(own, inputs[i]!);
      const check = watchContainers(own, "a loop whose end only the run knows");
      goesOn = turn(own);
      check();
      for (const { read } of carried) outputs.push(read(own));
    });
    if (goesOn === undefined || !isNumber(goesOn)) return unsupportedOp("a loop ends by what is no truth");
    const written = [...this.#recorder.sharing.writtenBy(nodes)];
    if (written.some((name) => inputs.some((input) => input.name === name)))
      return unsupportedOp(
        "a loop whose end only the run knows writes into what it is given; write into a clone",
      );
    return { inputs, nodes, outputs, written, goesOn: numberTensor({ kind: "bool", value: goesOn.value }) };
  }

  #emit(condition: NumberValue, carried: readonly Carried[], body: Body): TensorValue[] {
    const recorder = this.#recorder;
    const { written } = body;
    // Whether there is another turn goes round with the rest.
    const first = recorder.input("goes_on", tensorType("bool", []));
    const changed = written.map((name) => this.#tensor(name));
    const outputs: Arg[] = [];
    const more = recorder.capture(() => {
      for (const tensor of [...body.outputs, ...changed, body.goesOn])
        outputs.push(recorder.arg(tensor, "Tensor"));
    });
    const nodes = [...body.nodes, ...more];
    const names = [...body.inputs, ...changed, first].map(({ name }) => name!);
    const operands = this.#outer({ inputs: names, nodes, outputs, values: recorder.values });
    requireApart(recorder, written, [...operands, ...carried.flatMap((item) => item.first ?? [])]);
    const graph = (own: Pick<Graph, "nodes" | "outputs" | "written">): Arg => ({
      kind: "graph",
      graph: { ...own, inputs: [...names, ...operands], values: recorder.values },
    });
    const initial = [
      ...carried.map((item) => item.initial()),
      ...changed,
      numberTensor({ kind: "bool", value: condition.value }),
    ];
    const list = (items: readonly Arg[]): Arg => ({ kind: "list", items });
    const value = (name: string): Arg => ({ kind: "value", name });
    const places = new Map(written.map((name, i) => [name, carried.length + i]));
    const args = new Map<string, Arg>([
      ["0", graph({ nodes: [], outputs: [value(first.name!)] })],
      ["1", graph({ nodes, outputs, written: places })],
      ["2", list(initial.map((tensor) => recorder.arg(tensor, "Tensor")))],
      ["3", list(operands.map(value))],
    ]);
    const types = [...carried, ...changed].map(({ type }) => this.#outerType(type));
    return recorder.emit("higher_order.while_loop", args, [...types, tensorType("bool", [])]);
  }

  #tensor(name: string): TensorValue {
    const type = this.#recorder.values.get(name);
    return type?.kind === "tensor"
      ? { kind: "tensor", name, type }
      : unsupportedOp("it writes into no tensor");
  }

  /** Sizes that turns change are others behind the loop. */
  #outerType({ dtype, dims }: TensorType): TensorType {
    return tensorType(
      dtype,
      dims.map((dim) =>
        typeof dim !== "number" && this.#own.has(dim.key) ? this.#recorder.dataSize() : dim,
      ),
    );
  }

  /** Makes sizes that a turn changes sizes of their own; false when all are known to stay. */
  #widen(carried: readonly Carried[], { outputs }: Body): boolean {
    let isWider = false;
    for (const [i, item] of carried.entries()) {
      const { dtype, dims } = outputs[i]!.type;
      if (dtype !== item.type.dtype || dims.length !== item.type.dims.length)
        unsupportedOp(`'${item.name}' changes its type in a loop whose end only the run knows`);
      const next = item.type.dims.map((dim, axis) => {
        if (sameDim(dim, dims[axis]!) || (typeof dim !== "number" && this.#own.has(dim.key))) return dim;
        if (item.isRows && axis > 0)
          unsupportedOp("a loop whose end only the run knows appends tensors of another size in each turn");
        const size = this.#recorder.dataSize();
        this.#own.add(size.key);
        isWider = true;
        return size;
      });
      item.type = tensorType(dtype, next);
    }
    return isWider;
  }

  #outer({ inputs, nodes, outputs }: Graph): string[] {
    const own = new Set([...inputs, ...nodes.flatMap((node) => node.outputs)]);
    const used = [...nodes.flatMap((node) => [...node.args.values()]), ...outputs].flatMap(valuesOf);
    const { values, weights } = this.#recorder;
    const free = used.filter(
      (name) => !own.has(name) && !weights.has(name) && values.get(name)?.kind === "tensor",
    );
    return [...new Set(free)];
  }
}

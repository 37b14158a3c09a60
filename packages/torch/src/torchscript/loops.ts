import { valuesOf } from "../graph/dead-code.ts";
import type { Arg, Graph, Node, TensorType } from "../graph/ir.ts";
import { sameDim } from "../graph/sym.ts";
import { type Frame, numberTensor, watchContainers } from "./branches.ts";
import { dataNumber } from "./data-number.ts";
import type { GraphRecorder } from "./graph-recorder.ts";
import { tensorType } from "./shapes/shape-args.ts";
import { UnsupportedOp, unsupportedOp } from "./unsupported-op.ts";
import { isNumber, type NumberValue, type TensorValue, type Value } from "./value.ts";

/** What is said of a result that a turn of a loop gives, and nothing before it. */
export const RETURNS_IN_LOOP =
  "it returns from inside a loop whose end only the run knows; give a variable the result before the loop, leave the loop by its condition, and return the variable behind it";

/** What one turn does to the variables; answers whether there is another one. */
type Turn = (frame: Frame) => Value;

/** A variable that turns change: a tensor, or a number that goes round as one. */
interface Carried {
  readonly name: string;
  readonly initial: TensorValue;
  /** Of a number. */
  readonly kind: NumberValue["kind"] | undefined;
  type: TensorType;
}

interface Body {
  readonly inputs: readonly TensorValue[];
  readonly nodes: readonly Node[];
  readonly outputs: readonly TensorValue[];
  readonly goesOn: TensorValue;
}

/**
 * A `while` whose condition only the run knows, by the data or by sizes that stay the caller's: its body is read once, with what it carries from turn to turn, and becomes the graph
 * of one node. Turns may not change lists, dictionaries or attributes, nor the dtype or number of dimensions of a variable.
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
    const carried = this.#carried(frame, turn);
    let body = this.#read(frame, carried, turn);
    while (this.#widen(carried, body)) body = this.#read(frame, carried, turn);
    const results = this.#emit(condition, carried, body);
    for (const [i, { name, kind }] of carried.entries()) {
      const result = results[i]!;
      frame.set(name, kind === undefined ? result : dataNumber(this.#recorder, result));
    }
  }

  /** The variables of the frame that a turn leaves otherwise than it found them. */
  #carried(frame: Frame, turn: Turn): Carried[] {
    const own: Frame = new Map(frame);
    const check = watchContainers(frame, "a loop whose end only the run knows");
    this.#recorder.capture(() => turn(own));
    check();
    return [...frame].flatMap(([name, value]): Carried[] => {
      const [was, is] = [this.#recorder.current(value), this.#recorder.current(own.get(name)!)];
      if (was === is) return [];
      if (was.kind === "unknown" && is.kind === "unknown") return [];
      if (was.kind === "unknown" || is.kind === "unknown")
        throw new UnsupportedOp(RETURNS_IN_LOOP, { isFollower: true });
      if (isNumber(was) && isNumber(is)) {
        if (was.kind === is.kind && sameDim(was.value, is.value)) return [];
        if (was.kind !== is.kind)
          return unsupportedOp(`'${name}' changes its type in a loop whose end only the run knows`);
        const initial = numberTensor(was);
        return [{ name, initial, kind: was.kind, type: initial.type }];
      }
      if (was.kind !== "tensor" || is.kind !== "tensor")
        return unsupportedOp(`'${name}' changes in a loop whose end only the run knows, and is no tensor`);
      if (was.name !== undefined && was.name === is.name) return [];
      if (was.type.dtype !== is.type.dtype || was.type.dims.length !== is.type.dims.length)
        return unsupportedOp(
          `'${name}' changes its dtype or number of dimensions in a loop whose end only the run knows`,
        );
      return [{ name, initial: was, kind: undefined, type: tensorType(was.type.dtype, was.type.dims) }];
    });
  }

  #read(frame: Frame, carried: readonly Carried[], turn: Turn): Body {
    const own: Frame = new Map(frame);
    const inputs = carried.map(({ name, type }) => this.#recorder.input(name, type));
    let goesOn: Value | undefined;
    const outputs: TensorValue[] = [];
    const nodes = this.#recorder.capture(() => {
      for (const [i, { name, kind }] of carried.entries())
        own.set(name, kind === undefined ? inputs[i]! : dataNumber(this.#recorder, inputs[i]!));
      goesOn = turn(own);
      for (const { name } of carried) outputs.push(asTensor(this.#recorder.current(own.get(name)!), name));
    });
    if (goesOn === undefined || !isNumber(goesOn)) return unsupportedOp("a loop ends by what is no truth");
    return { inputs, nodes, outputs, goesOn: numberTensor({ kind: "bool", value: goesOn.value }) };
  }

  #emit(condition: NumberValue, carried: readonly Carried[], body: Body): TensorValue[] {
    const recorder = this.#recorder;
    // Whether there is another turn goes round with the rest.
    const first = recorder.input("goes_on", tensorType("bool", []));
    const outputs: Arg[] = [];
    const more = recorder.capture(() => {
      for (const tensor of [...body.outputs, body.goesOn]) outputs.push(recorder.arg(tensor, "Tensor"));
    });
    const nodes = [...body.nodes, ...more];
    const names = [...body.inputs, first].map(({ name }) => name!);
    const operands = this.#outer({ inputs: names, nodes, outputs, values: recorder.values });
    const inputs = [...names, ...operands];
    const graph = (own: Pick<Graph, "nodes" | "outputs">): Arg => ({
      kind: "graph",
      graph: { ...own, inputs, values: recorder.values },
    });
    const initial = [
      ...carried.map((item) => item.initial),
      numberTensor({ kind: "bool", value: condition.value }),
    ];
    const list = (items: readonly Arg[]): Arg => ({ kind: "list", items });
    const value = (name: string): Arg => ({ kind: "value", name });
    const args = new Map<string, Arg>([
      ["0", graph({ nodes: [], outputs: [value(first.name!)] })],
      ["1", graph({ nodes, outputs })],
      ["2", list(initial.map((tensor) => recorder.arg(tensor, "Tensor")))],
      ["3", list(operands.map(value))],
    ]);
    const types = carried.map(({ type }) => this.#outerType(type));
    return recorder.emit("higher_order.while_loop", args, [...types, tensorType("bool", [])]);
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

function asTensor(value: Value, name: string): TensorValue {
  if (value.kind === "tensor") return value;
  return isNumber(value) ? numberTensor(value) : unsupportedOp(`'${name}' is no tensor behind a turn`);
}

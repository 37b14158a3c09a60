import { schemaOf } from "../aten/schemas.ts";
import { aliasingOf, copyCondition, isSameTensor, mutates, writtenByGraphs } from "./aliasing.ts";
import {
  functionalVariant,
  laysOutInPlace,
  type SeveralWrites,
  severalWrites,
  whyNoVariant,
} from "./functional-variant.ts";
import type { Guard } from "./guard.ts";
import type { Arg, Graph, Node, TensorType, ValueType } from "./ir.ts";
import { demandApart, type Root, relate, startRoot, typeOf, type View } from "./memory.ts";
import { namesIn, originOf, valueArg } from "./node-parts.ts";
import type { Dim } from "./sym.ts";
import { type Numbers, replayView, type ViewStep } from "./view-replay.ts";
import { partDemands, WRITES_INTO_COPY, WriteDemands } from "./write-demands.ts";

export interface Functionalised {
  readonly graph: Graph;
  /** In-place ops whose effect could not be followed. */
  readonly unsupported: readonly { readonly op: string; readonly reason: string }[];
  /** Graph inputs (weights included) that the program writes into. */
  readonly mutatedInputs: readonly string[];
  /** Conditions on the sizes of inputs under which it does what the program does: at others a copy is none, and is written into. */
  readonly demands: readonly Guard[];
}

/**
 * Makes a graph functional: every in-place op becomes its functional variant, and whatever shares memory with its operand is derived anew from
 * the new value. Each tensor is a chain of views on a root; writing through a view scatters the new part back into the root, and other
 * views of that root are recalculated when they are next used. `shared` lists groups of inputs that lie in the same memory.
 */
export function functionalise(graph: Graph, shared: readonly (readonly string[])[] = []): Functionalised {
  if (
    !graph.nodes.some(
      (node) => mutates(node) || severalWrites(node) !== undefined || writtenByGraphs(node).size > 0,
    )
  )
    return { graph, unsupported: [], mutatedInputs: [], demands: [] };
  const pass = new Functionaliser(graph, shared);
  for (const node of graph.nodes) pass.visit(node);
  return pass.finish();
}

class Functionaliser {
  readonly #graph: Graph;
  readonly #values: Map<string, ValueType>;
  readonly #views = new Map<string, View>();
  readonly #nodes: Node[] = [];
  readonly #unsupported: { op: string; reason: string }[] = [];
  readonly #mutatedInputs = new Set<string>();
  readonly #demands: WriteDemands;

  constructor(graph: Graph, shared: readonly (readonly string[])[]) {
    this.#graph = graph;
    this.#values = new Map(graph.values);
    this.#demands = new WriteDemands(graph);
    for (const input of graph.inputs) this.#startRoot(input);
    for (const group of shared) {
      const roots = group.flatMap((name) => this.#views.get(name)?.root ?? []);
      for (const a of roots) for (const b of roots) if (a !== b) a.relatives.add(b);
    }
  }

  visit(node: Node): void {
    const several = severalWrites(node);
    if (several !== undefined) this.#mutateSeveral(node, several);
    else if (mutates(node)) this.#mutate(node);
    else this.#functional(node);
  }

  finish(): Functionalised {
    const outputs = this.#graph.outputs.map((output) => this.#resolve(output, "output"));
    return {
      graph: { ...this.#graph, nodes: this.#nodes, outputs, values: this.#values },
      unsupported: this.#unsupported,
      mutatedInputs: [...this.#mutatedInputs],
      demands: this.#demands.all,
    };
  }

  #startRoot(name: string): Root | undefined {
    const type = this.#values.get(name);
    if (type?.kind !== "tensor") return undefined;
    const view = startRoot(name, type);
    this.#views.set(name, view);
    return view.root;
  }

  /** The graphs of a node write: what they answer for it are new values of what they wrote into. */
  #writeWithin(node: Node): void {
    for (const [name, at] of writtenByGraphs(node)) {
      const view = this.#views.get(name);
      const result = node.outputs[at] ?? "";
      if (view !== undefined) this.#write(view, result, node);
    }
  }

  /** A node that writes nothing itself: its operands are brought up to date, its results become views or new roots. */
  #functional(node: Node): void {
    const args = new Map([...node.args].map(([name, arg]) => [name, this.#resolve(arg, node.target)]));
    this.#nodes.push({ ...node, args });
    this.#writeWithin(node);
    const aliasing = aliasingOf(node, (name) => this.#typeNow(name));
    const operand = this.#viewOf(node.args.get("self") ?? node.args.get("input"));
    for (const [index, name] of node.outputs.entries()) {
      const type = name === undefined ? undefined : this.#values.get(name);
      if (name === undefined || type?.kind !== "tensor") continue;
      if ((aliasing === "view" || aliasing === "same") && operand !== undefined) {
        const from = typeOf(operand);
        // It lies as its operand does, whatever the file says of it.
        const to = aliasing === "same" ? { ...type, strides: from.strides } : type;
        const steps = [...operand.steps, { node, index, from, to }];
        const names = isSameTensor(node, aliasing) ? operand.names.add(name) : new Set([name]);
        this.#views.set(name, { root: operand.root, steps, names, name, version: operand.root.version });
        continue;
      }
      const root = this.#startRoot(name)!;
      if (aliasing !== "fresh") this.#relate(root, node);
      else if (operand !== undefined) this.#copy(operand.root, root, node);
    }
  }

  /** Two roots that are one at some sizes. */
  #copy(original: Root, copy: Root, node: Node): void {
    const condition = copyCondition(node, (name) => this.#typeNow(name));
    if (condition === 1) return;
    original.copies.set(copy, condition);
    copy.copies.set(original, condition);
  }

  /** Conditions on what the inputs' sizes are become demands of the program, others a check where they matter. */
  #demand(condition: Dim, because: string, target: string): void {
    for (const part of this.#demands.take(condition, because)) this.#check(part, because, target);
  }

  #check(condition: Dim, because: string, target: string): void {
    const name = this.#fresh("are_apart");
    this.#values.set(name, { kind: "bool", expr: condition });
    const args = new Map<string, Arg>([
      ["self", valueArg(name)],
      ["assert_msg", { kind: "string", value: because }],
    ]);
    this.#nodes.push({ target: "aten._assert_scalar.default", args, outputs: [], origin: target });
  }

  /** The type that a name has by now: its tensor may have been turned since the value came about. */
  #typeNow(name: string): ValueType | undefined {
    const view = this.#views.get(name);
    return view === undefined ? this.#values.get(name) : typeOf(view);
  }

  #relate(root: Root, node: Node): void {
    for (const arg of node.args.values()) {
      for (const name of namesIn(arg)) {
        const other = this.#views.get(name)?.root;
        if (other !== undefined) relate(root, other);
      }
    }
  }

  #mutate(node: Node): void {
    const view = this.#viewOf(node.args.get("self"));
    const [mutated, ...others] = (schemaOf(node.target)?.params ?? []).filter((param) => param.isMutated);
    const variant = functionalVariant(node.target);
    const isSimple = mutated?.name === "self" && others.length === 0;
    if (view === undefined || !isSimple || variant === undefined) {
      this.#report(node, whyNoVariant(node.target));
      this.#nodes.push({
        ...node,
        args: new Map([...node.args].map(([n, arg]) => [n, this.#resolve(arg, node.target)])),
      });
      for (const name of node.outputs) if (name !== undefined) this.#startRoot(name);
      return;
    }
    if (laysOutInPlace(node.target)) {
      this.#turn(view, variant, node);
      return;
    }
    const type = typeOf(view);
    const args = new Map([...node.args].map(([name, arg]) => [name, this.#resolve(arg, node.target)]));
    const result = node.outputs[0] ?? this.#fresh(`${view.root.name}_updated`);
    this.#values.set(result, type);
    this.#nodes.push({ target: variant, args, outputs: [result], ...originOf(node) });
    this.#write(view, result, node);
    for (const name of node.outputs) {
      if (name === undefined) continue;
      this.#views.set(name, { ...view, name: result, version: view.root.version });
      view.names.add(name);
    }
  }

  /** An op that changes a tensor's shape in place: from now on all names of the tensor are a further view of its memory. */
  #turn(view: View, variant: string, node: Node): void {
    const { root, steps, names } = view;
    const args = new Map([...node.args].map(([name, arg]) => [name, this.#resolve(arg, node.target)]));
    const [result = ""] = node.outputs;
    const to = this.#values.get(result);
    if (to?.kind !== "tensor") {
      this.#report(node, "the shape that it gives its operand is not known");
      return;
    }
    const step: ViewStep = { node: { ...node, target: variant }, index: 0, from: typeOf(view), to };
    this.#nodes.push({ target: variant, args, outputs: [result], ...originOf(node) });
    const turned: View = {
      root,
      steps: [...steps, step],
      names: names.add(result),
      name: result,
      version: root.version,
    };
    for (const name of names) this.#views.set(name, turned);
    // What may be this tensor under another name would have changed its shape, too.
    for (const relative of root.relatives) relative.lostTo = node.target;
  }

  /** An op that writes into operands besides giving results: its variant gives their new values as further results. */
  #mutateSeveral(node: Node, { variant, written, results, isKept }: SeveralWrites): void {
    const args = new Map([...node.args].map(([name, arg]) => [name, this.#resolve(arg, node.target)]));
    const views = written.map((name) => this.#viewOf(node.args.get(name)));
    const news = views.map((view) => {
      if (view === undefined) return undefined;
      return this.#define(`${view.root.name}_updated`, typeOf(view));
    });
    if (isKept) this.#nodes.push({ ...node, args });
    const own = Array.from({ length: results }, (_, i) => (isKept ? undefined : node.outputs[i]));
    this.#nodes.push({ target: variant, args, outputs: [...own, ...news], ...originOf(node) });
    for (const name of node.outputs) if (name !== undefined) this.#startRoot(name);
    for (const [i, view] of views.entries()) if (view !== undefined) this.#write(view, news[i]!, node);
  }

  /** Puts a view's new value into its root, and forgets what may share memory with it without being known as a view. */
  #write(view: View, value: string, node: Node): void {
    const { root, steps } = view;
    for (const { condition, because } of partDemands([root.type, ...steps.map(({ to }) => to)]))
      this.#demand(condition, because, node.target);
    const wholes = this.#intermediates(view);
    let part = value;
    for (let i = view.steps.length - 1; i >= 0; i--) {
      const step = view.steps[i]!;
      const op = replayView(step, { whole: wholes[i]!, part, numbers: this.#numbers });
      if (op === undefined) {
        this.#report(node, `it writes through ${step.node.target}, which cannot be followed`);
        break;
      }
      const whole = this.#define(`${root.name}_updated`, step.from);
      this.#nodes.push({ ...op, outputs: [whole], ...originOf(node) });
      part = whole;
    }
    root.current = part;
    root.version += 1;
    view.name = value;
    view.version = root.version;
    for (const relative of root.relatives) relative.lostTo = node.target;
    demandApart(root);
    if (this.#graph.inputs.includes(root.name)) this.#mutatedInputs.add(root.name);
  }

  /** The current values before each step of a view: the root's, then one per step but the last. */
  #intermediates({ root, steps }: View): string[] {
    const names = [root.current];
    for (const step of steps.slice(0, -1)) names.push(this.#replay(step, names.at(-1)!));
    return names;
  }

  #replay({ node, index, to }: ViewStep, operand: string): string {
    const name = this.#define(node.outputs[index] ?? node.target, to);
    const key = node.args.has("self") ? "self" : "input";
    const outputs = node.outputs.map((_, i) => (i === index ? name : undefined));
    const args = new Map(
      [...node.args].map(([n, arg]) => [n, n === key ? valueArg(operand) : this.#resolve(arg, node.target)]),
    );
    this.#nodes.push({ ...node, args, outputs });
    return name;
  }

  #resolve(arg: Arg, target: string): Arg {
    if (arg.kind === "list")
      return { kind: "list", items: arg.items.map((item) => this.#resolve(item, target)) };
    return arg.kind === "value" ? valueArg(this.#current(arg.name, target)) : arg;
  }

  /** The value that shows what `name` holds now. */
  #current(name: string, target: string): string {
    const view = this.#views.get(name);
    if (view === undefined) return name;
    const { root } = view;
    if (root.lostTo !== undefined) {
      this.#unsupported.push({
        op: root.lostTo,
        reason: `it writes into memory that an operand of ${target} may share`,
      });
      root.lostTo = undefined;
    }
    for (const condition of root.demands) this.#demand(condition, WRITES_INTO_COPY, target);
    root.demands = [];
    if (view.version !== root.version) {
      view.name = view.steps.reduce((operand, step) => this.#replay(step, operand), root.current);
      view.version = root.version;
    }
    return view.name;
  }

  #viewOf(arg: Arg | undefined): View | undefined {
    return arg?.kind === "value" ? this.#views.get(arg.name) : undefined;
  }

  readonly #numbers: Numbers = {
    of: (arg) => {
      if (arg?.kind === "int") return Number(arg.value);
      const type = arg?.kind === "value" ? this.#values.get(arg.name) : undefined;
      return type?.kind === "int" ? type.expr : undefined;
    },
    arg: (value) => {
      if (typeof value === "number") return { kind: "int", value };
      const name = this.#fresh("place");
      this.#values.set(name, { kind: "int", expr: value });
      return valueArg(name);
    },
  };

  #define(wish: string, type: TensorType): string {
    const name = this.#fresh(wish);
    this.#values.set(name, type);
    return name;
  }

  /** A name that no value of the graph has, near `wish`. */
  #fresh(wish: string): string {
    let name = wish;
    for (let i = 1; this.#values.has(name); i++) name = `${wish}~${i}`;
    return name;
  }

  #report(node: Node, reason: string): void {
    this.#unsupported.push({ op: node.target, reason });
  }
}

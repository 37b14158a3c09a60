import type { DType } from "../dtype.ts";
import type { Attributes, Initializer, OnnxGraph, OnnxModel, OnnxNode } from "../onnx/model.ts";

const MICROSOFT = "com.microsoft";

/** A node that is being emitted, without what every node has. */
export interface NewNode {
  readonly type: string;
  readonly domain?: string;
  readonly inputs: readonly string[];
  readonly attributes?: Attributes;
  /** Names of the results; default: one fresh name. */
  readonly outputs?: readonly string[];
}

/** A graph while its nodes are replaced one by one. Initializers that nothing uses any more are dropped at the end. */
export class Rewrite {
  readonly quantized: string[] = [];
  readonly skipped: { weight: string; reason: string }[] = [];
  readonly #model: OnnxModel;
  readonly #exclude: ReadonlySet<string>;
  readonly #weights: Map<string, Initializer>;
  readonly #taken: Set<string>;
  readonly #nodes: OnnxNode[] = [];
  /** Results that a rewrite shares between nodes: a quantized weight or activation. */
  readonly #shared = new Map<string, readonly string[]>();
  #count = 0;

  constructor(model: OnnxModel, exclude: ReadonlySet<string>) {
    this.#model = model;
    this.#exclude = exclude;
    this.#weights = new Map(model.graph.initializers.map((item) => [item.name, item]));
    this.#taken = new Set(namesOf(model.graph));
  }

  /** Calls `replace` for every node; a node for which it answers false stays as it is. */
  eachNode(replace: (node: OnnxNode) => boolean): void {
    for (const node of this.#model.graph.nodes) if (!replace(node)) this.#nodes.push(node);
  }

  /** Lets all nodes follow those emitted so far, as they are. */
  keepNodes(): void {
    this.#nodes.push(...this.#model.graph.nodes);
  }

  /** Version of ONNX's own operators. */
  get opset(): number {
    return this.#model.opsets.get("") ?? 0;
  }

  get initializers(): IterableIterator<Initializer> {
    return this.#weights.values();
  }

  /** The float32 weight of this name, unless it is none, or excluded. */
  weight(name: string | undefined): Initializer | undefined {
    const found = name === undefined ? undefined : this.#weights.get(name);
    return found?.dtype === "float32" && !this.#exclude.has(found.name) ? found : undefined;
  }

  /** Whether the model stores a tensor of this name, of any dtype. */
  isStored(name: string): boolean {
    return this.#weights.has(name);
  }

  emit(node: NewNode): string {
    return this.emitAll({ ...node, outputs: node.outputs ?? [this.fresh(node.type)] })[0]!;
  }

  emitAll(node: NewNode & { readonly outputs: readonly string[] }): readonly string[] {
    const { type, domain = "", inputs, outputs, attributes = {} } = node;
    this.#nodes.push({ type, domain, inputs, outputs, attributes });
    return outputs;
  }

  /** The results of `make`, which runs at the first call with this key. */
  shared(key: string, make: () => readonly string[]): readonly string[] {
    const known = this.#shared.get(key) ?? make();
    this.#shared.set(key, known);
    return known;
  }

  initializer(wish: string, tensor: { dtype: DType; dims: readonly number[]; data: Uint8Array }): string {
    const name = this.fresh(wish);
    this.#weights.set(name, { name, ...tensor });
    return name;
  }

  /** A float32 constant, one for all that ask for the same number. */
  scalar(value: number): string {
    return this.shared(`scalar ${value}`, () => {
      const data = new Uint8Array(Float32Array.of(value).buffer);
      return [this.initializer("scalar", { dtype: "float32", dims: [], data })];
    })[0]!;
  }

  removeWeight(name: string): void {
    this.#weights.delete(name);
  }

  fresh(wish: string): string {
    for (;;) {
      const name = `${wish}.q${this.#count++}`;
      if (this.#taken.has(name)) continue;
      this.#taken.add(name);
      return name;
    }
  }

  done(weight: string): void {
    if (!this.quantized.includes(weight)) this.quantized.push(weight);
  }

  skip(weight: string, reason: string): false {
    this.skipped.push({ weight, reason });
    return false;
  }

  finish(): OnnxModel {
    const { graph, opsets } = this.#model;
    const used = new Set(graph.outputs.map((output) => output.name));
    for (const node of this.#nodes) for (const name of usedBy(node)) used.add(name);
    const initializers = [...this.#weights.values()].filter((item) => used.has(item.name));
    const needsMicrosoft = this.#nodes.some((node) => node.domain === MICROSOFT);
    const domains = new Map(opsets);
    if (needsMicrosoft && !domains.has(MICROSOFT)) domains.set(MICROSOFT, 1);
    return { ...this.#model, graph: { ...graph, nodes: this.#nodes, initializers }, opsets: domains };
  }
}

function usedBy(node: OnnxNode): string[] {
  const names = [...node.inputs];
  for (const value of Object.values(node.attributes)) {
    if (typeof value === "object" && "graph" in value) {
      for (const inner of value.graph.nodes) names.push(...usedBy(inner));
      names.push(...value.graph.outputs.map((output) => output.name));
    }
  }
  return names;
}

function namesOf(graph: OnnxGraph): string[] {
  return [
    ...graph.inputs.map((item) => item.name),
    ...graph.initializers.map((item) => item.name),
    ...graph.nodes.flatMap((node) => [...node.outputs, ...usedBy(node)]),
  ];
}

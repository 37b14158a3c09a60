import type { NodePlace } from "../code-place.ts";
import type { DType } from "../dtype.ts";
import type { Attributes, Initializer, OnnxGraph, OnnxNode, ValueInfo } from "./model.ts";

/** Names and initializers that a graph and its subgraphs share. */
class SharedNames {
  /** Per name: the number to try next when it is wished for again. */
  readonly used = new Map<string, number>();
  readonly initializers: Initializer[] = [];
  /** How many nodes bear each name. */
  readonly nodes = new Map<string, number>();
  readonly constants = new Map<string, string>();
  readonly scalars = new Set<string>();
  /** Of the values that nodes give; undefined: nobody asked. */
  places: Map<string, NodePlace> | undefined;
  /** Of the nodes that come now. */
  place: NodePlace | undefined;
}

/** Collects nodes of one ONNX graph. Constants and weights live in the outermost graph, where subgraphs see them. */
export class GraphBuilder {
  readonly #shared: SharedNames;
  readonly #nodes: OnnxNode[] = [];
  readonly #producers = new Map<string, OnnxNode>();
  readonly #parent: GraphBuilder | undefined;
  readonly domains: Set<string>;

  constructor(parent?: GraphBuilder, { keepsPlaces = false }: { readonly keepsPlaces?: boolean } = {}) {
    this.#parent = parent;
    this.#shared = parent === undefined ? new SharedNames() : parent.#shared;
    if (keepsPlaces) this.#shared.places = new Map();
    this.domains = parent === undefined ? new Set() : parent.domains;
  }

  /** Whether every node runs in every run: those of a subgraph may not. */
  get isOutermost(): boolean {
    return this.#parent === undefined;
  }

  /** A builder for the body of an If or Loop. */
  child(): GraphBuilder {
    return new GraphBuilder(this);
  }

  /** A name nothing in the model has, near `wish`. */
  unique(wish: string): string {
    const { used } = this.#shared;
    let next = used.get(wish) ?? 0;
    let name = next === 0 ? wish : `${wish}.${next}`;
    while (used.has(name)) name = `${wish}.${++next}`;
    used.set(wish, next + 1);
    used.set(name, Math.max(1, used.get(name) ?? 1));
    return name;
  }

  /** Where the values come from, by name, as far as that was said; undefined: it is not kept. */
  get places(): ReadonlyMap<string, NodePlace> | undefined {
    return this.#shared.places;
  }

  /** Runs `emit`, whose nodes come from there; undefined: nobody knows from where. */
  from<T>(place: NodePlace | undefined, emit: () => T): T {
    const shared = this.#shared;
    const outer = shared.place;
    shared.place = place;
    try {
      return emit();
    } finally {
      shared.place = outer;
    }
  }

  node(given: OnnxNode): void {
    const node = this.#shared.places === undefined ? given : this.#placed(given, this.#shared.places);
    this.#nodes.push(node);
    for (const output of node.outputs) this.#producers.set(output, node);
    if (node.domain !== "") this.domains.add(node.domain);
  }

  /** Named after its first result, so that a profile of the engine can be read. */
  #placed(node: OnnxNode, places: Map<string, NodePlace>): OnnxNode {
    const { place } = this.#shared;
    if (place !== undefined) for (const output of node.outputs) places.set(output, place);
    return node.name === undefined ? { ...node, name: node.outputs[0]! } : node;
  }

  /** A name for a node that no other one has: `label`, or `label #2`. */
  uniqueNode(label: string): string {
    const count = (this.#shared.nodes.get(label) ?? 0) + 1;
    this.#shared.nodes.set(label, count);
    return count === 1 ? label : `${label} #${count}`;
  }

  /** The node that gives a value, in this graph or one around it; undefined for inputs and initializers. */
  producer(value: string): OnnxNode | undefined {
    return this.#producers.get(value) ?? this.#parent?.producer(value);
  }

  initializer(initializer: Initializer): void {
    this.#shared.initializers.push(initializer);
  }

  /** Whether a value is a constant without dimensions; equal ones have one name. */
  isScalarConstant(value: string): boolean {
    return this.#shared.scalars.has(value);
  }

  /** An initializer with these bytes; equal constants are stored once. */
  constant(dtype: DType, dims: readonly number[], data: Uint8Array): string {
    const isSmall = data.length <= 256;
    const key = isSmall ? `${dtype}[${dims.join(",")}]${data.join(",")}` : "";
    const known = isSmall ? this.#shared.constants.get(key) : undefined;
    if (known !== undefined) return known;
    const name = this.unique("const");
    this.initializer({ name, dtype, dims, data });
    if (isSmall) this.#shared.constants.set(key, name);
    if (dims.length === 0) this.#shared.scalars.add(name);
    return name;
  }

  /** A constant that is made when it is first asked for under `key`: for large ones, whose bytes nobody wants to compare. */
  constantOf(key: string, make: () => Omit<Initializer, "name">): string {
    const known = this.#shared.constants.get(key);
    if (known !== undefined) return known;
    const name = this.unique("const");
    this.initializer({ name, ...make() });
    this.#shared.constants.set(key, name);
    return name;
  }

  /** The finished graph without nodes whose results nothing uses; the outermost one carries the initializers that are used. */
  finish(
    name: string,
    inputs: readonly ValueInfo[],
    outputs: readonly ValueInfo[],
    isOutermost = true,
  ): OnnxGraph {
    const live = new Set(outputs.map((output) => output.name));
    const nodes: OnnxNode[] = [];
    for (const node of this.#nodes.toReversed()) {
      if (!node.outputs.some((output) => live.has(output))) continue;
      nodes.push(node);
      for (const input of usedNames(node.inputs, node.attributes)) live.add(input);
    }
    const initializers = isOutermost ? this.#shared.initializers.filter((item) => live.has(item.name)) : [];
    return { name, nodes: nodes.reverse(), initializers, inputs, outputs };
  }
}

/** Names a node refers to, those inside its subgraphs included. */
function usedNames(inputs: readonly string[], attributes: Attributes): string[] {
  const names = [...inputs];
  for (const value of Object.values(attributes)) {
    if (typeof value !== "object" || !("graph" in value)) continue;
    for (const node of value.graph.nodes) names.push(...usedNames(node.inputs, node.attributes));
    for (const output of value.graph.outputs) names.push(output.name);
  }
  return names;
}

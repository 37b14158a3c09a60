import type { NodePlace, OnnxGraph, OnnxNode } from "@sconce/torch";
import { commonModule } from "./common-module.ts";
import type { EngineNode } from "./engine-events.ts";

/** What ONNX Runtime adds to the name of a node that it puts in the place of another. */
const ADDED = [/^fused /, /_nchwc$/, /\/?[A-Z]\w*Fusion\/?$/, /_token_\d+$/];
/** What the time of a fused node is spent on; the rest of it comes along. In the order of their weight. */
const HEAVY: readonly RegExp[] = [
  /Conv/,
  /^(RNN|LSTM|GRU|\w*Attention)$/,
  /MatMul|Gemm|Einsum/,
  /Resize|GridSample|NonMaxSuppression|TopK/,
  /Normalization|Softmax|Pool|Reduce/,
];
/** How far an unknown node is looked for a neighbour that is known. */
const FARTHEST = 16;

/** The graphs of a model before and after ONNX Runtime optimised it, and where the values of the first come from. */
export interface PlacedGraphs {
  readonly before: OnnxGraph;
  readonly after: OnnxGraph;
  readonly places: ReadonlyMap<string, NodePlace>;
}

/** Finds where the nodes of an optimised graph come from. */
export class GraphPlaces {
  readonly #places: ReadonlyMap<string, NodePlace>;
  /** Of the graph before, by the values that nodes give. */
  readonly #producers = new Map<string, OnnxNode>();
  readonly #initializers: ReadonlySet<string>;
  /** By name and operator, in the order of the graph. */
  readonly #nodes = new Map<string, OnnxNode[]>();
  readonly #producersAfter = new Map<string, OnnxNode>();
  readonly #readersAfter = new Map<string, OnnxNode[]>();
  /** Values of the graph before that nodes of the one after give. */
  readonly #anchors = new Set<string>();
  readonly #known = new Map<OnnxNode, NodePlace | undefined>();

  constructor({ before, after, places }: PlacedGraphs) {
    this.#places = places;
    this.#initializers = new Set(before.initializers.map(({ name }) => name));
    for (const node of nodesOf(before)) for (const output of node.outputs) this.#producers.set(output, node);
    for (const node of nodesOf(after)) {
      const key = keyOf(node.name ?? "", node.type);
      const known = this.#nodes.get(key);
      if (known === undefined) this.#nodes.set(key, [node]);
      else known.push(node);
      for (const output of node.outputs) if (output !== "") this.#producersAfter.set(output, node);
      for (const input of node.inputs) {
        const readers = this.#readersAfter.get(input);
        if (readers === undefined) this.#readersAfter.set(input, [node]);
        else readers.push(node);
      }
      const anchor = this.#anchorOf(node);
      if (anchor !== undefined) this.#anchors.add(anchor);
    }
  }

  /** Undefined: it cannot be said. */
  placeOf(engineNode: EngineNode): NodePlace | undefined {
    const node = this.#nodeOf(engineNode);
    if (node === undefined) return this.#places.get(plainName(engineNode.name));
    if (!this.#known.has(node)) this.#known.set(node, this.#ownPlace(node) ?? this.#nearPlace(node));
    return this.#known.get(node);
  }

  /** Places of other modules whose operations the engine has made part of this one: of a convolution's normalisation and activation. */
  alongOf(engineNode: EngineNode): readonly NodePlace[] {
    const node = this.#nodeOf(engineNode);
    const anchor = node === undefined ? undefined : this.#anchorOf(node);
    if (node === undefined || anchor === undefined) return [];
    const own = this.placeOf(engineNode)?.module;
    const others = new Map<string, NodePlace>();
    for (const part of this.#partsOf(anchor, new Set(node.inputs))) {
      const place = this.#placeBefore(part);
      if (place !== undefined && place.module !== "" && place.module !== own) others.set(place.module, place);
    }
    return [...others.values()].reverse();
  }

  #nodeOf({ name, operator, occurrence }: EngineNode): OnnxNode | undefined {
    const nodes = this.#nodes.get(keyOf(name, operator)) ?? [];
    return nodes[Math.min(occurrence, nodes.length - 1)];
  }

  /** The value of the graph before that a node gives: under its name, or, where the engine has renamed it, by its own. */
  #anchorOf(node: OnnxNode): string | undefined {
    const value = node.outputs.find((output) => this.#producers.has(output));
    if (value !== undefined) return value;
    const name = plainName(node.name ?? "");
    return this.#producers.has(name) ? name : undefined;
  }

  /** Of what the node stands for, the part that takes the time; where several do, the module around them. */
  #ownPlace(node: OnnxNode): NodePlace | undefined {
    const anchor = this.#anchorOf(node);
    if (anchor === undefined) return undefined;
    const parts = this.#partsOf(anchor, new Set(node.inputs));
    for (const kind of HEAVY) {
      const heavy = parts
        .filter(({ type }) => kind.test(type))
        .flatMap((part) => this.#placeBefore(part) ?? []);
      if (heavy.length === 0) continue;
      const [first] = heavy;
      const module = commonModule(heavy.map((place) => place.module));
      return module === first!.module ? first : { module, op: first!.op };
    }
    return (
      this.#placeBefore(this.#producers.get(anchor)!) ??
      parts.map((part) => this.#placeBefore(part)).find(Boolean)
    );
  }

  #placeBefore({ outputs }: OnnxNode): NodePlace | undefined {
    for (const output of outputs) {
      const place = this.#places.get(output);
      if (place !== undefined) return place;
    }
    return undefined;
  }

  /** The nodes of the graph before, back to what the node takes or others give; the last one first. */
  #partsOf(anchor: string, inputs: ReadonlySet<string>): OnnxNode[] {
    const parts: OnnxNode[] = [];
    const seen = new Set<string>([anchor]);
    const open = [anchor];
    for (let value = open.pop(); value !== undefined; value = open.pop()) {
      const node = this.#producers.get(value);
      if (node === undefined || parts.includes(node)) continue;
      parts.push(node);
      for (const input of node.inputs) {
        const isBorder = inputs.has(input) || this.#anchors.has(input) || this.#initializers.has(input);
        if (input === "" || isBorder || seen.has(input)) continue;
        seen.add(input);
        open.push(input);
      }
    }
    return parts;
  }

  /** What the engine puts in between belongs to what it is for: the next node behind it that is known, else the next before it. */
  #nearPlace(node: OnnxNode): NodePlace | undefined {
    const behind = (at: OnnxNode): OnnxNode[] =>
      at.outputs.flatMap((output) => this.#readersAfter.get(output) ?? []);
    const before = (at: OnnxNode): OnnxNode[] =>
      at.inputs.flatMap((input) => this.#producersAfter.get(input) ?? []);
    return this.#search(node, behind) ?? this.#search(node, before);
  }

  #search(from: OnnxNode, next: (node: OnnxNode) => readonly OnnxNode[]): NodePlace | undefined {
    let open: readonly OnnxNode[] = [from];
    const seen = new Set<OnnxNode>(open);
    for (let steps = 0; steps < FARTHEST && open.length > 0; steps += 1) {
      open = open.flatMap(next).filter((node) => !seen.has(node) && seen.add(node));
      // What only leads out says nothing of what it leads out.
      const found = open
        .map((node) => this.#ownPlace(node))
        .find((place) => place !== undefined && place.op !== "");
      if (found !== undefined) return found;
    }
    return undefined;
  }
}

function keyOf(name: string, operator: string): string {
  return `${name}\n${operator}`;
}

function plainName(name: string): string {
  let plain = name;
  for (;;) {
    const next = ADDED.reduce((text, added) => text.replace(added, ""), plain);
    if (next === plain) return plain;
    plain = next;
  }
}

/** Those of graphs inside it included. */
function nodesOf(graph: OnnxGraph): OnnxNode[] {
  return graph.nodes.flatMap((node) => [
    node,
    ...Object.values(node.attributes).flatMap((value) =>
      typeof value === "object" && "graph" in value ? nodesOf(value.graph) : [],
    ),
  ]);
}

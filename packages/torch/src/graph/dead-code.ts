import { mutates } from "./aliasing.ts";
import type { Arg, Graph, Node, ValueType } from "./ir.ts";
import { symbolsOf } from "./sym.ts";

/**
 * Drops the nodes of a functional graph that no output needs: assertions, unused branches, size arithmetic. A node that introduces a
 * size symbol (`item`, `nonzero`) stays while something has a size with that symbol.
 */
export function removeDeadNodes(graph: Graph): Graph {
  const definers = symbolDefiners(graph);
  const liveValues = new Set<string>();
  const liveSymbols = new Set<string>();
  const use = (name: string): void => {
    liveValues.add(name);
    for (const symbol of symbolsOfType(graph.values.get(name))) liveSymbols.add(symbol);
  };
  for (const output of graph.outputs) for (const name of valuesOf(output)) use(name);
  const nodes: Node[] = [];
  for (const node of graph.nodes.toReversed()) {
    const isLive =
      // A write matters even when nothing uses its result; functionalised graphs have none.
      mutates(node) ||
      node.outputs.some((name) => name !== undefined && liveValues.has(name)) ||
      definers.get(node)?.some((symbol) => liveSymbols.has(symbol)) === true;
    if (!isLive) continue;
    nodes.push(node);
    for (const arg of node.args.values()) for (const name of valuesOf(arg)) use(name);
  }
  return { ...graph, nodes: nodes.reverse() };
}

/** Names of the values an argument refers to, those a subgraph takes from outside excluded (operands pass them). */
export function valuesOf(arg: Arg): string[] {
  if (arg.kind === "value") return [arg.name];
  return arg.kind === "list" ? arg.items.flatMap(valuesOf) : [];
}

function symbolDefiners(graph: Graph): Map<Node, string[]> {
  const known = new Set<string>();
  for (const input of graph.inputs)
    for (const symbol of symbolsOfType(graph.values.get(input))) known.add(symbol);
  const definers = new Map<Node, string[]>();
  for (const node of graph.nodes) {
    const fresh = node.outputs
      .flatMap((name) => (name === undefined ? [] : symbolsOfType(graph.values.get(name))))
      .filter((symbol) => !known.has(symbol));
    for (const symbol of fresh) known.add(symbol);
    if (fresh.length > 0) definers.set(node, fresh);
  }
  return definers;
}

function symbolsOfType(type: ValueType | undefined): string[] {
  if (type === undefined) return [];
  if (type.kind !== "tensor") return [...symbolsOf(type.expr)];
  const symbols = new Set<string>();
  for (const dim of type.dims) symbolsOf(dim, symbols);
  return [...symbols];
}

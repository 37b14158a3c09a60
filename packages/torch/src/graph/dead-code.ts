import { mutates } from "./aliasing.ts";
import type { Arg, Graph, Node, ValueType } from "./ir.ts";
import { symbolsOf } from "./sym.ts";

/** Ops without results by which a program demands something of what it calculates. */
const CHECKS: ReadonlySet<string> = new Set([
  "aten._assert_scalar.default",
  "aten._assert_async.default",
  "aten._assert_async.msg",
  "aten.sym_constrain_range.default",
  "aten.sym_constrain_range_for_size.default",
]);

/** Whether a node only checks: PyTorch raises where what it is given is not so. */
export function isCheck({ target }: Pick<Node, "target">): boolean {
  return CHECKS.has(target);
}

/**
 * Drops the nodes of a functional graph that no output needs: unused branches, size arithmetic, and checks of what the sizes of inputs decide (guards
 * say those before a run). A node that introduces a size symbol (`item`, `nonzero`) stays while something has a size with that symbol.
 */
export function removeDeadNodes(graph: Graph): Graph {
  const definers = symbolDefiners(graph);
  const producers = new Map(
    graph.nodes.flatMap((node) =>
      node.outputs.flatMap((name) => (name === undefined ? [] : [[name, node] as const])),
    ),
  );
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
      definers.get(node)?.some((symbol) => liveSymbols.has(symbol)) === true ||
      (isCheck(node) && checksData(node, graph.values, producers));
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

/** Ops that give as much as the data hold, or a number out of them. */
const DATA_OPS =
  /^aten\.(item|_local_scalar_dense|nonzero|argwhere|nonzero_numpy|masked_select|_unique2|unique_consecutive|unique_dim|bincount|index\.Tensor|where\.default|repeat_interleave\.Tensor)(\.|$)/;

/** Whether the data decide the sizes of an op's results, or the number that it gives. */
export function isDataOp({ target }: Pick<Node, "target">): boolean {
  return DATA_OPS.test(target);
}

/** Whether the data decide a check: that of a tensor, or of a number that leads back to an op which counts or reads. */
function checksData(check: Node, values: Graph["values"], producers: ReadonlyMap<string, Node>): boolean {
  // A pass put it there, since no guard can say it.
  if (check.origin !== undefined) return true;
  const asked = [...check.args.values()].flatMap(valuesOf);
  const seen = new Set<string>();
  for (let name = asked.pop(); name !== undefined; name = asked.pop()) {
    if (seen.has(name)) continue;
    seen.add(name);
    const producer = producers.get(name);
    if (producer !== undefined && isDataOp(producer)) return true;
    if (values.get(name)?.kind === "tensor" && check.target.startsWith("aten._assert_async")) return true;
    const isSized = producer?.target.startsWith("aten.sym_") === true;
    if (producer === undefined || (values.get(name)?.kind === "tensor" && !isSized)) continue;
    asked.push(...[...producer.args.values()].flatMap(valuesOf));
  }
  return false;
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

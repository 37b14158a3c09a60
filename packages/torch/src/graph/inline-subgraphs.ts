import { valuesOf } from "./dead-code.ts";
import type { Arg, Graph, Node, ValueType } from "./ir.ts";

/** Where a subgraph's graph and its operands stand among the arguments of the op. */
const REGIONS: Readonly<Record<string, number>> = {
  "higher_order.wrap_with_set_grad_enabled": 1,
  "higher_order.wrap_with_autocast": 4,
  "higher_order.hints_wrapper": 0,
};

export interface Inlined {
  readonly graph: Graph;
  readonly warnings: readonly string[];
}

/**
 * Puts the bodies of `with torch.no_grad():` and `with torch.autocast(…):` into the graph around them. Gradients do not matter here;
 * an enabled autocast is ignored: float32 is more precise than what it asks for.
 */
export function inlineSubgraphs(graph: Graph): Inlined {
  if (!graph.nodes.some((node) => node.target in REGIONS)) return { graph, warnings: [] };
  const values = new Map(graph.values);
  const warnings = new Set<string>();
  const renamed = new Map<string, Arg>();
  const nodes = graph.nodes.flatMap((node) =>
    inlineNode(substitute(node, renamed), { values, warnings, renamed }),
  );
  const outputs = graph.outputs.map((output) => substituteArg(output, renamed));
  return { graph: { ...graph, nodes, values, outputs }, warnings: [...warnings] };
}

interface Inlining {
  readonly values: Map<string, ValueType>;
  readonly warnings: Set<string>;
  /** What stands for a name of the outer graph from now on. */
  readonly renamed: Map<string, Arg>;
}

function inlineNode(node: Node, state: Inlining): Node[] {
  const at = REGIONS[node.target];
  const body = at === undefined ? undefined : node.args.get(String(at));
  if (at === undefined || body?.kind !== "graph") return [node];
  const enabled = node.args.get("2");
  if (node.target.endsWith("autocast") && enabled?.kind === "bool" && enabled.value) {
    state.warnings.add(
      "the program runs a part under autocast; it is calculated in float32 here, which is more precise",
    );
  }
  const operands = [...node.args].filter(([name]) => Number(name) > at).map(([, arg]) => arg);
  const inner = inlineSubgraphs(body.graph);
  for (const warning of inner.warnings) state.warnings.add(warning);
  const names = new Map<string, Arg>();
  for (const [i, input] of inner.graph.inputs.entries()) {
    const operand = operands[i];
    if (operand !== undefined) names.set(input, operand);
  }
  const nodes = inner.graph.nodes.map((item) => adopt(item, inner.graph, { names, values: state.values }));
  for (const [i, output] of inner.graph.outputs.flatMap(flat).entries()) {
    const name = node.outputs[i];
    if (name !== undefined) state.renamed.set(name, substituteArg(output, names));
  }
  return nodes;
}

function flat(arg: Arg): readonly Arg[] {
  return arg.kind === "list" ? arg.items : [arg];
}

interface Adoption {
  readonly names: Map<string, Arg>;
  readonly values: Map<string, ValueType>;
}

/** Moves a node of a subgraph into the outer graph, under names that nothing there has. */
function adopt(node: Node, from: Graph, { names, values }: Adoption): Node {
  const moved = substitute(node, names);
  const outputs = moved.outputs.map((name) => {
    if (name === undefined) return undefined;
    let fresh = name;
    for (let i = 1; values.has(fresh); i++) fresh = `${name}~${i}`;
    const type = from.values.get(name);
    if (type !== undefined) values.set(fresh, type);
    names.set(name, { kind: "value", name: fresh });
    return fresh;
  });
  return { ...moved, outputs };
}

function substitute(node: Node, names: ReadonlyMap<string, Arg>): Node {
  if (
    names.size === 0 ||
    ![...node.args.values()].some((arg) => valuesOf(arg).some((name) => names.has(name)))
  )
    return node;
  return { ...node, args: new Map([...node.args].map(([name, arg]) => [name, substituteArg(arg, names)])) };
}

function substituteArg(arg: Arg, names: ReadonlyMap<string, Arg>): Arg {
  if (arg.kind === "list")
    return { kind: "list", items: arg.items.map((item) => substituteArg(item, names)) };
  return arg.kind === "value" ? (names.get(arg.name) ?? arg) : arg;
}

import type { OnnxGraph, OnnxModel, OnnxNode } from "./model.ts";

/** Ops whose result depends on sizes alone. */
const SIZES: ReadonlySet<string> = new Set(["Shape", "Size"]);

/** How an `If` is called both of whose branches give the same for a row, whichever the run takes: one is cheaper. */
export const SHORTCUT = "shortcut of";

/**
 * The first `If` or `Loop` that goes one way or the other, once for a whole run, by what the numbers of the inputs are: "If" or "Loop". Undefined:
 * sizes and stored numbers alone decide.
 */
export function dataDecision({ graph }: OnnxModel): "If" | "Loop" | undefined {
  return decisionIn(
    graph,
    graph.inputs.map(({ name }) => name),
  ).op;
}

interface Found {
  readonly op: "If" | "Loop" | undefined;
  /** Values that depend on the data, those of the graphs around among them. */
  readonly data: ReadonlySet<string>;
}

function decisionIn(graph: OnnxGraph, given: Iterable<string>): Found {
  const data = new Set(given);
  for (const node of graph.nodes) {
    const op = decisionOf(node, data);
    if (op !== undefined) return { op, data };
    if (!SIZES.has(node.type) && isOfData(node, data)) for (const name of node.outputs) data.add(name);
  }
  return { op: undefined, data };
}

function decisionOf(node: OnnxNode, data: ReadonlySet<string>): Found["op"] {
  const isShortcut = node.name?.startsWith(SHORTCUT) === true;
  if (node.type === "If" && !isShortcut && data.has(node.inputs[0]!)) return "If";
  if (node.type === "Loop") return loopDecision(node, data);
  for (const graph of bodiesOf(node)) {
    const given = node.inputs.some((name) => data.has(name)) ? graph.inputs.map(({ name }) => name) : [];
    const { op } = decisionIn(graph, [...data, ...given]);
    if (op !== undefined) return op;
  }
  return undefined;
}

/** Inputs of a Loop: how often, whether, what is carried. Of its body: the round, whether, what is carried; outputs: whether, what is carried. */
function loopDecision({ inputs, attributes }: OnnxNode, data: ReadonlySet<string>): Found["op"] {
  const [often, whether, ...carried] = inputs;
  const body = attributes["body"];
  if (data.has(often!) || data.has(whether ?? "")) return "Loop";
  if (typeof body !== "object" || !("graph" in body)) return undefined;
  const { graph } = body;
  const places = carried.map((name, i) => ({
    input: graph.inputs[2 + i]?.name ?? "",
    output: graph.outputs[1 + i]?.name ?? "",
    isData: data.has(name),
  }));
  // What one round makes depend on the data is so in the next.
  for (;;) {
    const given = places.filter(({ isData }) => isData).map(({ input }) => input);
    const found = decisionIn(graph, [...data, ...given]);
    if (found.op !== undefined) return found.op;
    if (found.data.has(graph.outputs[0]?.name ?? "")) return "Loop";
    const spread = places.filter(({ isData, output }) => !isData && found.data.has(output));
    if (spread.length === 0) return undefined;
    for (const place of spread) place.isData = true;
  }
}

function isOfData(node: OnnxNode, data: ReadonlySet<string>): boolean {
  if (node.inputs.some((name) => data.has(name))) return true;
  return bodiesOf(node).some((graph) => graph.nodes.some((inner) => isOfData(inner, data)));
}

/** The graphs that a node holds. */
export function bodiesOf({ attributes }: OnnxNode): OnnxGraph[] {
  return Object.values(attributes).flatMap((value) =>
    typeof value === "object" && "graph" in value ? [value.graph] : [],
  );
}

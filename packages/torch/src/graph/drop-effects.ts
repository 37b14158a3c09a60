import type { Graph, Node } from "./ir.ts";

/** Effects that nothing here needs: `linalg_*_ex`, whose `info` is looked at by nobody else, fails by itself where this would raise. */
const WITHOUT_RESULT: ReadonlySet<string> = new Set(["operator aten._linalg_check_errors.default"]);

/** Decomposed programs keep effects in order by tokens that go from one to the next: those of checks go, with the checks. */
export function dropEffects(graph: Graph): Graph {
  if (!graph.nodes.some(isDropped)) return graph;
  return { ...graph, nodes: graph.nodes.filter((node) => !isDropped(node)) };
}

function isDropped({ target, args }: Node): boolean {
  if (target !== "higher_order.with_effects") return false;
  const operator = args.get("1");
  return operator?.kind === "opaque" && WITHOUT_RESULT.has(operator.what);
}

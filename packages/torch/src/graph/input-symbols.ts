import { type GuardTerm, guardSize } from "./guard.ts";
import type { Graph } from "./ir.ts";

/** The symbols that are the size of an input's dimension, or an input's value. */
export function inputSymbols(graph: Graph, inputs: Iterable<string>): Map<string, GuardTerm> {
  const symbols = new Map<string, GuardTerm>();
  for (const name of inputs) {
    const type = graph.values.get(name);
    const dims = type?.kind === "tensor" ? type.dims : [];
    for (const dim of dims) {
      if (typeof dim !== "number" && dim.op === "symbol") symbols.set(dim.key, guardSize(dim));
    }
    if (type === undefined || type.kind === "tensor" || typeof type.expr === "number") continue;
    if (type.expr.op === "symbol") symbols.set(type.expr.key, { op: "value", input: name });
  }
  return symbols;
}

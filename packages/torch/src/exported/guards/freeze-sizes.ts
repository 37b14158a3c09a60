import { inputSizes } from "../../graph/expose-sizes.ts";
import { type Guard, guardNode, guardSize } from "../../graph/guard.ts";
import type { Graph } from "../../graph/ir.ts";

const BECAUSE = "the program has a guard that cannot be read, so only the exported sizes are served";

/** Guards that let nothing but the exported sizes pass: nobody knows what an unreadable guard forbids. */
export function freezeSizes(
  graph: Graph,
  inputs: readonly string[],
  exported: ReadonlyMap<string, number>,
): Guard[] {
  const guards = new Map<string, Guard>();
  for (const name of inputs) {
    const type = graph.values.get(name);
    if (type?.kind !== "tensor") continue;
    for (const dim of inputSizes(type)) {
      if (typeof dim === "number") continue;
      const size = exported.get(dim.key);
      // A file that does not say the sizes cannot be served at any.
      const condition = size === undefined ? 0 : guardNode("eq", guardSize(dim), size);
      guards.set(dim.key, { condition, because: BECAUSE });
    }
  }
  return [...guards.values()];
}

import type { Graph } from "../../graph/ir.ts";
import { asMap } from "../fields.ts";
import type { Json } from "../json.ts";

/**
 * The sizes of the inputs when the program was exported, by the key of the dimension: the file keeps them beside each symbolic size, as
 * a hint. `json`: the serialized graph; `graph`: what was read from it.
 */
export function exportedSizes(
  json: Json | undefined,
  graph: Graph,
  inputs: readonly string[],
): Map<string, number> {
  const sizes = new Map<string, number>();
  const tensors = asMap(asMap(json, "graph").get("tensor_values"), "tensor_values");
  for (const name of inputs) {
    const type = graph.values.get(name);
    const written = tensors.get(name);
    const hints = written instanceof Map ? written.get("sizes") : undefined;
    if (type?.kind !== "tensor" || !Array.isArray(hints)) continue;
    for (const [axis, dim] of type.dims.entries()) {
      const size = hintOf(hints[axis]);
      if (typeof dim !== "number" && size !== undefined && !sizes.has(dim.key)) sizes.set(dim.key, size);
    }
  }
  return sizes;
}

/** `{as_expr: {expr_str, hint: {as_int: 4}}}`. */
function hintOf(json: Json | undefined): number | undefined {
  let value: Json | undefined = json;
  for (const key of ["as_expr", "hint", "as_int"]) {
    if (!(value instanceof Map)) return undefined;
    value = value.get(key);
  }
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

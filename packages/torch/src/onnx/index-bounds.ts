import type { OnnxModel } from "./model.ts";

/** Ops that pass values through as they are. */
const PASSING: ReadonlySet<string> = new Set([
  "Cast",
  "Identity",
  "Reshape",
  "Unsqueeze",
  "Squeeze",
  "Flatten",
  "Expand",
  "Transpose",
]);

/**
 * How many different values an integer input may have, where it picks rows of a stored table (an embedding): values must be below it.
 * Inputs that pick nothing are not in the answer.
 */
export function indexBounds({ graph }: OnnxModel): ReadonlyMap<string, number> {
  const tables = new Map(graph.initializers.map((item) => [item.name, item.dims]));
  const origin = new Map(graph.inputs.map(({ name }) => [name, name]));
  const bounds = new Map<string, number>();
  for (const { type, inputs, outputs, attributes } of graph.nodes) {
    const passed = origin.get(inputs[0] ?? "");
    if (PASSING.has(type) && passed !== undefined) origin.set(outputs[0]!, passed);
    const index = origin.get(inputs[1] ?? "");
    const dims = tables.get(inputs[0] ?? "");
    if (type !== "Gather" || index === undefined || dims === undefined) continue;
    const axis = typeof attributes["axis"] === "number" ? attributes["axis"] : 0;
    const size = dims.at(axis) ?? 0;
    bounds.set(index, Math.min(bounds.get(index) ?? size, size));
  }
  return bounds;
}

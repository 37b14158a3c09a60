import { type GuardTerm, guardNode, guardSize } from "../../graph/guard.ts";
import { inputSymbols } from "../../graph/input-symbols.ts";
import type { Graph } from "../../graph/ir.ts";
import type { Dim } from "../../graph/sym.ts";
import type { InputPath } from "./input-paths.ts";
import type { GuardNames, GuardRead } from "./parse-guard.ts";

/** An argument of the program after flattening: the graph input, or undefined for a constant. */
export type InputLeaf = string | undefined;

/**
 * Finds what guards refer to. `leaves` and `paths` are in the order of the flattened arguments; a guard may also name an argument by its
 * position (`['flat_args'][3]`) or by a path that the call signature spells otherwise.
 */
export function inputNames(
  graph: Graph,
  leaves: readonly InputLeaf[],
  paths: readonly InputPath[],
): GuardNames {
  const byPath = new Map<string, string>();
  for (const [i, leaf] of leaves.entries()) {
    if (leaf === undefined) continue;
    byPath.set(`['flat_args'][${i}]`, leaf);
    for (const path of paths[i]?.spellings ?? []) byPath.set(path, leaf);
  }
  const given = new Set(leaves.filter((leaf) => leaf !== undefined));
  const symbols = inputSymbols(graph, given);
  return {
    input(path, read) {
      const leaf = byPath.get(path) ?? joinedName(path, given);
      return leaf === undefined ? undefined : readInput(graph, leaf, read);
    },
    symbol: (name) => symbols.get(name),
  };
}

/** PyTorch calls graph inputs by the steps to them: `['boxes'][0]` is boxes_0; the name of a `**kwargs` argument is left out. */
function joinedName(path: string, names: ReadonlySet<string>): string | undefined {
  const steps = [...path.matchAll(/\['([^']*)'\]|\[(\d+)\]|\.(\w+)/g)].map(
    ([, key, index, field]) => key ?? index ?? field!,
  );
  return [steps, steps.slice(1)].map((parts) => parts.join("_")).find((name) => names.has(name));
}

function readInput(graph: Graph, name: string, read: GuardRead): GuardTerm | undefined {
  const type = graph.values.get(name);
  if (type === undefined) return undefined;
  if (type.kind !== "tensor") return read.kind === "value" ? { op: "value", input: name } : undefined;
  // A request's tensors are dense and begin where their storage does.
  if (read.kind === "offset") return 0;
  if (read.kind === "value") return undefined;
  const axis = read.axis < 0 ? read.axis + type.dims.length : read.axis;
  if (axis < 0 || axis >= type.dims.length) return undefined;
  return read.kind === "size" ? guardSize(type.dims[axis]!) : denseStride(type.dims.slice(axis + 1));
}

/** Strides of a dense tensor: an empty dimension counts as one. */
function denseStride(inner: readonly Dim[]): GuardTerm {
  return inner.reduce<GuardTerm>((stride, dim) => {
    const size = typeof dim === "number" ? Math.max(1, dim) : guardNode("max", 1, guardSize(dim));
    return stride === 1 ? size : guardNode("mul", stride, size);
  }, 1);
}

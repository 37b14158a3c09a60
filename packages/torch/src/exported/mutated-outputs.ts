import type { Arg, Graph, Node, ValueType } from "../graph/ir.ts";

/** A result that the program writes back into one of its inputs. */
export interface WrittenInput {
  /** Graph input: a user's, a buffer or a parameter. */
  readonly input: string;
  /** The value that it gets. */
  readonly value: string;
}

/**
 * Outputs that are inputs written to. PyTorch copies the value into the input and returns that: it has the input's dtype, and an output
 * that is the input itself has the new value (torch/export/_unlift.py, `_insert_copy_for_mutations`).
 */
export function mutatedOutputs(
  graph: Graph,
  outputs: readonly Arg[],
  written: readonly WrittenInput[],
): { graph: Graph; outputs: readonly Arg[] } {
  const values = new Map<string, ValueType>(graph.values);
  const nodes: Node[] = [];
  const returned = new Map<string, string>();
  for (const { input, value } of written) {
    const [own, given] = [values.get(input), values.get(value)];
    let name = value;
    if (own?.kind === "tensor" && given?.kind === "tensor" && own.dtype !== given.dtype) {
      name = `${value}~written`;
      const args = new Map<string, Arg>([
        ["self", { kind: "value", name: value }],
        ["dtype", { kind: "dtype", value: own.dtype }],
      ]);
      nodes.push({ target: "aten.to.dtype", args, outputs: [name] });
      values.set(name, { ...given, dtype: own.dtype });
    }
    returned.set(input, name).set(value, name);
  }
  return {
    graph: nodes.length === 0 ? graph : { ...graph, nodes: [...graph.nodes, ...nodes], values },
    outputs: outputs.map((arg) =>
      arg.kind === "value" ? { kind: "value", name: returned.get(arg.name) ?? arg.name } : arg,
    ),
  };
}

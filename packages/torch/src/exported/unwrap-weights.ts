import { refuseWrapped, type WrappedTensor } from "../checkpoint/wrapped-tensor.ts";
import { valuesOf } from "../graph/dead-code.ts";
import type { Arg, Graph, Node, Weight } from "../graph/ir.ts";

/** A weight that is a tensor subclass, under the name a user knows. */
export interface WrappedWeight extends WrappedTensor {
  readonly name: string;
}

const ACCESS = "export.access_subclass_inner_tensor.default";

/**
 * The graph with the tensors inside of subclasses as weights of their own, where the program does nothing with a subclass but take them out.
 * `wrapped`: by graph input name. Throws ModelFileError("unsupported") for a subclass that is used whole.
 */
export function unwrapWeights(
  graph: Graph,
  wrapped: ReadonlyMap<string, WrappedWeight>,
): { graph: Graph; weights: ReadonlyMap<string, Weight> } {
  const weights = new Map<string, Weight>();
  if (wrapped.size === 0) return { graph, weights };
  const nodes = graph.nodes.filter((node) => {
    const source = sourceOf(node, wrapped);
    const attribute = node.args.get("attr") ?? node.args.get("1");
    const tensor = attribute?.kind === "string" ? source?.parts.get(attribute.value) : undefined;
    const output = node.outputs[0];
    if (source === undefined || tensor === undefined || output === undefined) return true;
    weights.set(output, { name: `${source.name}.${(attribute as { value: string }).value}`, tensor });
    return false;
  });
  const args: Arg[] = [...nodes.flatMap((node) => [...node.args.values()]), ...graph.outputs];
  for (const name of args.flatMap(valuesOf)) {
    const whole = wrapped.get(name);
    if (whole !== undefined) refuseWrapped(whole.name, whole.className);
  }
  return { graph: { ...graph, nodes }, weights };
}

/** The subclass that a node takes a tensor out of. */
function sourceOf(node: Node, wrapped: ReadonlyMap<string, WrappedWeight>): WrappedWeight | undefined {
  if (node.target !== ACCESS) return undefined;
  const arg = node.args.get("src_subclass_tensor") ?? node.args.get("0");
  return arg?.kind === "value" ? wrapped.get(arg.name) : undefined;
}

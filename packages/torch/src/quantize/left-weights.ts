import type { OnnxGraph, OnnxModel, OnnxNode } from "../onnx/model.ts";

/** A weight that stayed as it was, and why. */
export interface LeftWeight {
  readonly weight: string;
  readonly reason: string;
}

/** What happened to a model's weights on the way. */
export interface Outcome {
  /** Said of weights while nodes were looked at. */
  readonly skipped: readonly LeftWeight[];
  readonly exclude: ReadonlySet<string>;
  /** Whether convolutions could have been rewritten at all. */
  readonly takesConvolutions: boolean;
}

/**
 * Every float32 weight that is still in the model, once each. Vectors and single numbers (biases, norms) are none: they are few bytes, and no
 * precision is for them.
 */
export function leftWeights({ graph }: OnnxModel, outcome: Outcome): LeftWeight[] {
  const reasons = new Map(outcome.skipped.map(({ weight, reason }) => [weight, reason] as const));
  const matrices = graph.initializers.filter(({ dtype, dims }) => dtype === "float32" && isMatrix(dims));
  const users = usersOf(graph, new Set(matrices.map(({ name }) => name)));
  for (const { name } of matrices) {
    if (outcome.exclude.has(name)) reasons.set(name, "it is excluded");
    else if (!reasons.has(name)) reasons.set(name, reasonOf(name, users.get(name), outcome));
  }
  return [...reasons].map(([weight, reason]) => ({ weight, reason }));
}

function isMatrix(dims: readonly number[]): boolean {
  return dims.filter((size) => size !== 1).length >= 2;
}

interface User {
  readonly node: OnnxNode;
  readonly isInside: boolean;
}

/** Who reads each of these values first. */
function usersOf(graph: OnnxGraph, names: ReadonlySet<string>): Map<string, User> {
  const found = new Map<string, User>();
  const visit = (nodes: readonly OnnxNode[], isInside: boolean): void => {
    for (const node of nodes) {
      for (const name of node.inputs)
        if (names.has(name) && !found.has(name)) found.set(name, { node, isInside });
      for (const value of Object.values(node.attributes)) {
        if (typeof value === "object" && "graph" in value) visit(value.graph.nodes, true);
      }
    }
  };
  visit(graph.nodes, false);
  return found;
}

const CONVOLUTIONS: ReadonlySet<string> = new Set(["Conv", "ConvTranspose"]);
const PRODUCTS: ReadonlySet<string> = new Set(["MatMul", "Gemm", "FusedMatMul"]);
const RECURRENT: ReadonlySet<string> = new Set(["LSTM", "GRU", "RNN"]);

function reasonOf(name: string, user: User | undefined, { takesConvolutions }: Outcome): string {
  if (user === undefined) return "it is an output of the model itself";
  const { type, inputs } = user.node;
  if (user.isInside) return `${type} uses it inside If or Loop`;
  if (CONVOLUTIONS.has(type)) {
    return type === "Conv" && !takesConvolutions
      ? "this precision is for matrix products, and it is a convolution's"
      : `${type} has no such kernel`;
  }
  if (RECURRENT.has(type)) return `${type} layers have no such kernel`;
  if (PRODUCTS.has(type) && inputs[0] === name) return "it stands on the left of its product";
  if (type.startsWith("Gather")) return `${type} looks it up, and multiplies nothing`;
  return `${type} has no such kernel`;
}

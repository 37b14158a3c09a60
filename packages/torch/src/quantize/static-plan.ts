import { ModelFileError } from "../errors.ts";
import type { OnnxModel, OnnxNode } from "../onnx/model.ts";
import { type ProductNode, productNode } from "./product-node.ts";
import type { Rewrite } from "./rewrite.ts";

/** Products with fewer weights gain nothing. Convolutions count whatever their size: a float one in between costs two conversions. */
const MIN_PRODUCT = 1024;

/** Ops that may sit between a convolution and its codes: ONNX Runtime folds them into the range. */
const CLAMPS: ReadonlySet<string> = new Set(["Relu", "Clip"]);

/** Ops with an int8 kernel for codes in and codes out, worth it when all that they take is codes already. */
const FOLLOWERS: ReadonlySet<string> = new Set(["Add", "AveragePool", "GlobalAveragePool"]);

/** Ops that only move codes, so that the result has the codes of what went in. */
const MOVERS: ReadonlySet<string> = new Set(["MaxPool"]);

/** What static quantization does with a node. */
export type StaticStep =
  | { readonly kind: "conv" }
  | { readonly kind: "product"; readonly product: ProductNode }
  | { readonly kind: "follower" }
  | { readonly kind: "mover" };

export interface StaticPlan {
  readonly steps: ReadonlyMap<OnnxNode, StaticStep>;
  /** Values that become codes as soon as they exist, for all who read them. */
  readonly codedOutputs: ReadonlySet<string>;
  /** Values whose range must be known. */
  readonly measured: readonly string[];
}

/** Per-axis scales came with opset 13. */
const MIN_OPSET = 13;

/**
 * Decides which nodes calculate with 8-bit codes, and which values must be measured for it. Reasons against go to `rewrite.skipped`.
 * Throws ModelFileError("unsupported") when nothing can.
 */
export function planStatic(model: OnnxModel, rewrite: Rewrite): StaticPlan {
  const opset = model.opsets.get("") ?? 0;
  if (opset < MIN_OPSET) {
    throw new ModelFileError(
      "unsupported",
      `the model has opset ${opset}; static int8 needs ${MIN_OPSET} or later`,
    );
  }
  const plan = planNodes(model, rewrite);
  if (plan.measured.length > 0) return plan;
  const why = rewrite.skipped[0]?.reason ?? "it has no matrix product or convolution with stored weights";
  throw new ModelFileError("unsupported", `nothing in the model can be calculated in int8: ${why}`);
}

function planNodes(model: OnnxModel, rewrite: Rewrite): StaticPlan {
  const { nodes } = model.graph;
  const readers = new Map<string, OnnxNode[]>();
  for (const node of nodes) {
    for (const input of node.inputs) readers.set(input, [...(readers.get(input) ?? []), node]);
  }
  const outputs = new Set(model.graph.outputs.map(({ name }) => name));
  const steps = new Map<OnnxNode, StaticStep>();
  const codedOutputs = new Set<string>();
  const measured = new Set<string>();
  const code = (node: OnnxNode): void => {
    let name = node.outputs[0]!;
    const [only, ...others] = readers.get(name) ?? [];
    if (only !== undefined && others.length === 0 && CLAMPS.has(only.type) && !outputs.has(name))
      name = only.outputs[0]!;
    codedOutputs.add(name);
  };
  for (const node of nodes) {
    const step = stepOf(node, { rewrite, codedOutputs });
    if (step === undefined) continue;
    steps.set(node, step);
    if (step.kind === "product") measured.add(step.product.activation);
    else {
      if (step.kind === "conv") measured.add(node.inputs[0]!);
      code(node);
    }
  }
  for (const name of codedOutputs) measured.add(name);
  return { steps, codedOutputs, measured: [...measured] };
}

function stepOf(
  node: OnnxNode,
  { rewrite, codedOutputs }: { readonly rewrite: Rewrite; readonly codedOutputs: ReadonlySet<string> },
): StaticStep | undefined {
  const product = productNode(node, rewrite);
  if (typeof product === "string") rewrite.skip(node.inputs[1]!, product);
  else if (product !== undefined) {
    if (product.k * product.n >= MIN_PRODUCT) return { kind: "product", product };
    rewrite.skip(product.weight.name, `it has fewer than ${MIN_PRODUCT} weights`);
  }
  if (node.domain !== "" || product !== undefined) return undefined;
  if (node.type === "Conv")
    return rewrite.weight(node.inputs[1]) === undefined ? undefined : { kind: "conv" };
  const takesCodes = node.inputs.length > 0 && node.inputs.every((input) => codedOutputs.has(input));
  if (!takesCodes || node.outputs.length !== 1) return undefined;
  if (FOLLOWERS.has(node.type)) return { kind: "follower" };
  return MOVERS.has(node.type) ? { kind: "mover" } : undefined;
}

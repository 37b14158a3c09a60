import type { Initializer, OnnxNode } from "../onnx/model.ts";
import type { Rewrite } from "./rewrite.ts";

/** A matrix product with a stored weight: `a @ weight`, or `a @ weightᵀ`, plus a bias. */
export interface ProductNode {
  readonly activation: string;
  readonly weight: Initializer;
  /** The weight is stored as [out, in], as PyTorch's Linear has it. */
  readonly isTransposed: boolean;
  /** Input and output features. */
  readonly k: number;
  readonly n: number;
  readonly bias: string | undefined;
}

/** The node as a product with a stored 2-D weight; a reason in words when it is one that cannot be taken; undefined when it is none. */
export function productNode(node: OnnxNode, rewrite: Rewrite): ProductNode | string | undefined {
  const isGemm = node.type === "Gemm" && node.domain === "";
  const isMatMul = node.type === "MatMul" && node.domain === "";
  const isFused = node.type === "FusedMatMul" && node.domain === "com.microsoft";
  if (!isGemm && !isMatMul && !isFused) return undefined;
  const weight = rewrite.weight(node.inputs[1]);
  if (weight === undefined) return undefined;
  const { attributes } = node;
  if (weight.dims.length !== 2) return "its weight is not a matrix";
  if (flag(attributes["transA"]) || flag(attributes["transBatchA"]) || flag(attributes["transBatchB"])) {
    return "its activation is transposed";
  }
  if (factor(attributes["alpha"]) !== 1 || factor(attributes["beta"]) !== 1) return "it scales its operands";
  const isTransposed = flag(attributes["transB"]);
  const [rows, columns] = weight.dims as readonly [number, number];
  const bias = isGemm && node.inputs[2] !== "" ? node.inputs[2] : undefined;
  return {
    activation: node.inputs[0]!,
    weight,
    isTransposed,
    k: isTransposed ? columns : rows,
    n: isTransposed ? rows : columns,
    bias,
  };
}

function flag(value: unknown): boolean {
  return value === 1;
}

function factor(value: unknown): number {
  return typeof value === "object" && value !== null && "float" in value ? Number(value.float) : 1;
}

import type { OnnxModel } from "../onnx/model.ts";

/** Ops of models that are quantized already, `domain::Type` outside ONNX's own domain. */
const QUANTIZED =
  /^(?:com\.microsoft::)?(?:(?:Dynamic)?(?:De)?QuantizeLinear|QLinear\w+|QGemm|QAttention|ConvInteger|MatMulInteger\w*|DynamicQuantize\w+|MatMulNBits|MatMulBnb4|GatherBlockQuantized)$/;

/** How often each op of a quantized model occurs: `MatMulNBits × 3`; undefined when there is none. */
export function quantizedOps(ops: Iterable<readonly [string, number]>): string | undefined {
  const found = [...ops].filter(([op]) => QUANTIZED.test(op));
  if (found.length === 0) return undefined;
  return found.map(([op, count]) => `${op.replace(/^.*::/, "")} × ${count}`).join(", ");
}

/** The ops of a model's outermost graph, with their counts. */
export function opsOf({ graph }: OnnxModel): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { type, domain } of graph.nodes) {
    const op = domain === "" ? type : `${domain}::${type}`;
    counts.set(op, (counts.get(op) ?? 0) + 1);
  }
  return counts;
}

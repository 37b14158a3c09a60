import type { Node, Program } from "../graph/ir.ts";
import type { OnnxModel } from "../onnx/model.ts";
import { modelRowMixing, rowMixing } from "../quantize/row-mixing.ts";

/**
 * Why an answer of the program depends on the other rows of its run, in words that follow "because"; undefined: nothing is known that does. Its
 * translation may have ops of its own that do.
 */
export function programRowMixing(
  { graph, weights }: Program,
  model: OnnxModel | undefined,
): string | undefined {
  const measuring = graph.nodes.filter((node) => !isWeight(node, weights)).map(scaleTarget);
  return rowMixing({ ops: measuring }) ?? (model && modelRowMixing(model));
}

/** What is measured of stored weights is the same in every run. */
function isWeight({ args }: Node, weights: Program["weights"]): boolean {
  const input = args.get("input");
  return input?.kind === "value" && weights.has(input.name);
}

const AFFINE = "torchao.choose_qparams_affine.default";

/** The op's target, without its overload where blocks that share a scale hold several rows. */
function scaleTarget({ target, args }: Node): string {
  if (target !== AFFINE) return target;
  const blocks = args.get("block_size");
  const first = blocks?.kind === "list" ? blocks.items[0] : undefined;
  const isOneRow = first?.kind === "int" && Number(first.value) === 1;
  return isOneRow ? target : "torchao.choose_qparams_affine";
}

import type { Arg, Graph, Node, Program } from "../graph/ir.ts";
import { symbolsOf } from "../graph/sym.ts";
import type { OnnxModel } from "../onnx/model.ts";
import { modelRowMixing, rowMixing } from "../quantize/row-mixing.ts";

/**
 * Why an answer of the program depends on the other rows of its run, in words that follow "because"; undefined: nothing is known that does. Its
 * translation may have ops of its own that do.
 */
export function programRowMixing(
  { graph, weights, inputs }: Program,
  model: OnnxModel | undefined,
): string | undefined {
  const measuring = graph.nodes.filter((node) => !isWeight(node, weights)).map(scaleTarget);
  return rowMixing({ ops: measuring }) ?? (model && modelRowMixing(model)) ?? countedRows(graph, inputs);
}

/** The same of a branch or a loop that how many rows there are decides. */
function countedRows(graph: Graph, inputs: Program["inputs"]): string | undefined {
  const rows = new Set<string>();
  for (const { value } of inputs) {
    const type = graph.values.get(value);
    if (type?.kind === "tensor" && type.dims.length > 0) symbolsOf(type.dims[0]!, rows);
  }
  const target = rows.size === 0 ? undefined : decidedBy(graph, rows);
  return target && `${target === COND ? "a branch is taken" : "a loop ends"} by how many rows a run has`;
}

const COND = "higher_order.cond";
const LOOP = "higher_order.while_loop";

/** The first branch or loop whose condition has one of these sizes. */
function decidedBy({ nodes, values }: Graph, sizes: ReadonlySet<string>): string | undefined {
  const isOf = (arg: Arg): boolean => {
    const type = arg.kind === "value" ? values.get(arg.name) : undefined;
    if (type === undefined || type.kind === "tensor") return false;
    return [...symbolsOf(type.expr)].some((name) => sizes.has(name));
  };
  for (const { target, args } of nodes) {
    if (target === COND && isOf(args.get("0")!)) return target;
    for (const arg of args.values()) {
      if (arg.kind !== "graph") continue;
      // A turn compares with it.
      const isCounted = arg.graph.nodes.some((inner) => [...inner.args.values()].some(isOf));
      if (target === LOOP && isCounted) return target;
      const inner = decidedBy(arg.graph, sizes);
      if (inner !== undefined) return inner;
    }
  }
  return undefined;
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

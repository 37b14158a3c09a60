import { add, type Dim, sym } from "../../graph/sym.ts";
import { needLabel } from "../../onnx/input-fault.ts";
import type { Emitter } from "../core/emitter.ts";
import { withIndex } from "../core/index-check.ts";
import type { Lowering, LoweringTable } from "../core/lowering.ts";
import { mayBeZero } from "../core/nothing.ts";
import type { OpNode } from "../core/op-node.ts";
import { requirement } from "../core/requirement.ts";
import type { Tensor, Val } from "../core/tensor.ts";
import { unsupported } from "../core/unsupported.ts";
import { slice } from "../shape/slicing.ts";

const MODES = ["sum", "mean", "max"] as const;

/** Rows gathered for one embedding_bag, and where they belong. */
interface Rows {
  /** [indices, width]. */
  readonly values: Val;
  /** Which rows count, [indices]; undefined when all do. */
  readonly isCounted: Val | undefined;
  /** The bag of each row, [indices]. */
  readonly bag: Val;
  readonly count: Dim;
  readonly bags: Dim;
  readonly width: Dim;
}

/**
 * aten::_embedding_bag(Tensor weight, Tensor indices, Tensor offsets, bool scale_grad_by_freq=False, int mode=0, bool sparse=False, Tensor? per_sample_weights=None, bool include_last_offset=False, int padding_idx=-1) -> (Tensor, Tensor, Tensor, Tensor)
 * aten::_embedding_bag_forward_only(Tensor weight, Tensor indices, Tensor offsets, bool scale_grad_by_freq=False, int mode=0, bool sparse=False, Tensor? per_sample_weights=None, bool include_last_offset=False, int padding_idx=-1) -> (Tensor, Tensor, Tensor, Tensor)
 * aten::embedding_bag(Tensor weight, Tensor indices, Tensor offsets, bool scale_grad_by_freq=False, int mode=0, bool sparse=False, Tensor? per_sample_weights=None, bool include_last_offset=False) -> (Tensor, Tensor, Tensor, Tensor)
 * aten::embedding_bag.padding_idx(Tensor weight, Tensor indices, Tensor offsets, bool scale_grad_by_freq, int mode, bool sparse, Tensor? per_sample_weights, bool include_last_offset, int? padding_idx) -> (Tensor, Tensor, Tensor, Tensor)
 *
 * Only the embeddings are calculated; the other results serve training. An empty bag is 0.
 */
export const embeddingBag: Lowering = (node, g) => {
  const weight = node.tensor("weight");
  for (const i of [1, 2, 3]) if (node.isUsed(i)) unsupported(`its result ${i}, which serves training`);
  const mode = MODES[node.int("mode")] ?? unsupported("its mode is not known");
  const rows = gatherRows(node, g, weight);
  const weights = node.optionalTensor("per_sample_weights");
  const values =
    weights === undefined
      ? rows.values
      : g.op("Mul", [rows.values, g.unsqueeze(g.cast(weights, weight.dtype), [1])]);
  const bags = (all: Val): Val => {
    if (node.bool("include_last_offset")) return slice(g, all, { axis: 0, start: 0, end: -1 });
    const stated = node.tensor("offsets").dims[0]!;
    return rows.bags === stated ? all : slice(g, all, { axis: 0, start: 0, end: stated });
  };
  if (mode === "sum") return [bags(combine(g, { ...rows, values }, "add"))];
  const counted = counts(g, rows);
  const isEmpty = g.unsqueeze(g.op("Equal", [counted, g.scalar("int64", 0)]), [1]);
  if (mode === "max") {
    return [bags(g.where(isEmpty, g.scalar(weight.dtype, 0), combine(g, { ...rows, values }, "max")))];
  }
  const divisor = g.op("Max", [counted, g.scalar("int64", 1)]);
  const sums = combine(g, { ...rows, values }, "add");
  return [bags(g.op("Div", [sums, g.unsqueeze(g.cast(divisor, weight.dtype), [1])]))];
};

function gatherRows(node: OpNode, g: Emitter, weight: Tensor): Rows {
  const indices = node.tensor("indices");
  const offsets = node.tensor("offsets");
  if (indices.dims.length !== 1) unsupported("its indices have more than one dimension");
  const count = indices.dims[0]!;
  // A last offset that only ends the bag before it begins one more, of the rows that belong to none.
  const stated = offsets.dims[0]!;
  // Without a bag, the rows go into one that is cut off.
  const bags = mayBeZero(g, stated) && !node.bool("include_last_offset") ? sym("max", stated, 1) : stated;
  // Rows before the first bag would belong to none.
  const wide = g.cast(offsets, "int64");
  const [before, behind] = [
    slice(g, wide, { axis: 0, start: 0, end: -1 }),
    slice(g, wide, { axis: 0, start: 1, end: stated }),
  ];
  const falls = g.cast(g.op("Less", [behind, before]), "int64");
  const first = g.cast(g.cast(slice(g, wide, { axis: 0, start: 0, end: 1 }), "bool"), "int64");
  const guard = requirement(g, "offsets from 0", g.op("Concat", [first, falls], { axis: 0 }));
  const padding = paddingIndex(node, weight);
  const isCounted =
    padding === undefined
      ? undefined
      : g.op("Not", [g.op("Equal", [g.cast(indices, "int64"), g.number(padding, "int64")])]);
  const started = bagOfRow(g, { starts: g.op("Add", [wide, guard]), bags: stated, count });
  const bag = bags === stated ? started : g.op("Max", [started, g.scalar("int64", 0)]);
  return {
    values: withIndex(node, g, {
      use: { index: indices, size: weight.dims[0], table: "weight" },
      emit: (index) => g.op("Gather", [weight, index], { axis: 0 }),
    }),
    isCounted,
    bag,
    count,
    bags,
    width: weight.dims[1]!,
  };
}

/** The overload with an optional padding_idx counts a negative one from the end; for the inner ops it means none. */
function paddingIndex(node: OpNode, weight: Tensor): Dim | undefined {
  if (node.target === "aten.embedding_bag.default" || !node.has("padding_idx")) return undefined;
  const index = node.int("padding_idx");
  if (index >= 0) return index;
  return node.target === "aten.embedding_bag.padding_idx" ? add(weight.dims[0]!, index) : undefined;
}

/** How many bags start at or before each row, less one. Empty bags start where the next one does. */
function bagOfRow(g: Emitter, { starts, bags, count }: { starts: Val; bags: Dim; count: Dim }): Val {
  const none = g.expand(g.scalar("int64", 0), [add(count, 1)]);
  const ones = g.expand(g.scalar("int64", 1), [bags]);
  const marks = g.labelled(needLabel(g.target, "offsets within its indices"), () =>
    g.op("ScatterElements", [none, starts, ones], { axis: 0, reduction: "add" }),
  );
  const started = slice(g, g.op("CumSum", [marks, g.scalar("int64", 0)]), { axis: 0, start: 0, end: -1 });
  return g.op("Sub", [started, g.scalar("int64", 1)]);
}

function combine(
  g: Emitter,
  { values, isCounted, bag, count, bags, width }: Rows,
  reduction: "add" | "max",
): Val {
  const neutral = g.scalar(values.dtype, reduction === "add" ? 0 : Number.NEGATIVE_INFINITY);
  const kept = isCounted === undefined ? values : g.where(g.unsqueeze(isCounted, [1]), values, neutral);
  const index = g.expand(g.unsqueeze(bag, [1]), [count, width]);
  return g.op("ScatterElements", [g.expand(neutral, [bags, width]), index, kept], { axis: 0, reduction });
}

/** Rows that count, per bag. */
function counts(g: Emitter, { isCounted, bag, count, bags }: Rows): Val {
  const ones = isCounted === undefined ? g.expand(g.scalar("int64", 1), [count]) : g.cast(isCounted, "int64");
  const none = g.expand(g.scalar("int64", 0), [bags]);
  return g.op("ScatterElements", [none, bag, ones], { axis: 0, reduction: "add" });
}

export const EMBEDDING_BAG: LoweringTable = {
  "aten.embedding_bag.default": embeddingBag,
  "aten.embedding_bag.padding_idx": embeddingBag,
  "aten._embedding_bag.default": embeddingBag,
  "aten._embedding_bag_forward_only.default": embeddingBag,
};

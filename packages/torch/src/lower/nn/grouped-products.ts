import { type Dim, sameDim } from "../../graph/sym.ts";
import type { Emitter } from "../core/emitter.ts";
import type { Lowering, LoweringTable } from "../core/lowering.ts";
import type { OpNode } from "../core/op-node.ts";
import type { Tensor, Val } from "../core/tensor.ts";
import { unsupported } from "../core/unsupported.ts";

/** One product is emitted for each group: experts of a layer, of which the largest models have some hundreds. */
const MOST_GROUPS = 1024;

interface Groups {
  readonly count: number;
  /** Where each group ends, [count]. */
  readonly ends: Val;
}

/** The pieces of `x` along an axis, one for each group, in their order. The groups take all of it. */
function piecesOf(g: Emitter, x: Val, { axis, count, ends }: Groups & { readonly axis: number }): Val[] {
  if (count === 1) return [x];
  const wide = g.cast(ends, "int64");
  const before = g.op(
    "Concat",
    [g.ints([0]), g.op("Slice", [wide, g.ints([0]), g.ints([-1]), g.ints([0])])],
    {
      axis: 0,
    },
  );
  return g.ops("Split", [x, g.op("Sub", [wide, before])], { count, attributes: { axis } });
}

/** One matrix of each group. */
function matricesOf(g: Emitter, x: Tensor, count: number): Val[] {
  return Array.from({ length: count }, (_, i) => g.op("Gather", [x, g.scalar("int64", i)], { axis: 0 }));
}

function groupsOf(node: OpNode): Groups {
  const offs = node.tensor("offs");
  const [count] = offs.dims;
  if (typeof count !== "number") return unsupported("the number of groups is not constant");
  if (count > MOST_GROUPS) return unsupported(`${count} groups; up to ${MOST_GROUPS} are translated`);
  return { count, ends: offs };
}

function productsOf(g: Emitter, left: readonly Val[], right: readonly Val[]): Val[] {
  return left.map((val, i) => g.op("MatMul", [val, right[i]!]));
}

/** Rows by their group, [rows, depth] · [groups, depth, columns]: what experts do. */
function byRows(g: Emitter, [x, weights]: readonly [Tensor, Tensor], groups: Groups): Val {
  const rows = piecesOf(g, x, { ...groups, axis: 0 });
  return joined(g, productsOf(g, rows, matricesOf(g, weights, groups.count)), 0);
}

function joined(g: Emitter, parts: readonly Val[], axis: number): Val {
  return parts.length === 1 ? parts[0]! : g.op("Concat", parts, { axis });
}

/**
 * aten::_grouped_mm(Tensor self, Tensor mat2, Tensor? offs=None, Tensor? bias=None, ScalarType? out_dtype=None) -> Tensor
 *
 * `offs` are where groups end: of the rows of a matrix `self`, of the columns of a matrix `mat2`, or of the depth of both.
 */
export const groupedProduct: Lowering = (node, g) => {
  const { dtype } = node.out();
  const [a, b] = ["self", "mat2"].map((name) => {
    const tensor = node.tensor(name);
    return g.typed(g.cast(tensor, dtype), tensor.dims);
  }) as [Tensor, Tensor];
  if (node.has("bias")) unsupported("a bias");
  const [isFlat, isFlatOther] = [a.dims.length === 2, b.dims.length === 2];
  if (!isFlat && !isFlatOther) return g.op("MatMul", [a, b]);
  const groups = groupsOf(node);
  if (isFlat && !isFlatOther) return byRows(g, [a, b], checked(groups, b.dims[0]!));
  if (isFlat) {
    const products = productsOf(
      g,
      piecesOf(g, a, { ...groups, axis: 1 }),
      piecesOf(g, b, { ...groups, axis: 0 }),
    );
    return joined(
      g,
      products.map((val) => g.unsqueeze(val, [0])),
      0,
    );
  }
  const columns = piecesOf(g, b, { ...groups, axis: 1 });
  return joined(g, productsOf(g, matricesOf(g, a, checked(groups, a.dims[0]!).count), columns), 1);
};

function checked(groups: Groups, matrices: Dim): Groups {
  return sameDim(groups.count, matrices) ? groups : unsupported("it has other groups than matrices");
}

/** transformers::grouped_mm_fallback(Tensor input, Tensor weight, Tensor offs) -> Tensor: what transformers calls where PyTorch has no `_grouped_mm` */
export const groupedFallback: Lowering = (node, g) => {
  const { dtype } = node.out();
  const [x, weights] = ["input", "weight"].map((name) => {
    const tensor = node.tensor(name);
    return g.typed(g.cast(tensor, dtype), tensor.dims);
  }) as [Tensor, Tensor];
  return byRows(g, [x, weights], checked(groupsOf(node), weights.dims[0]!));
};

export const GROUPED_PRODUCTS: LoweringTable = {
  "aten._grouped_mm.default": groupedProduct,
  "transformers.grouped_mm_fallback.default": groupedFallback,
};

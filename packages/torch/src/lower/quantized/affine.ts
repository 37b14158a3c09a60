import type { DType } from "../../dtype.ts";
import { type Dim, sameDim, sym } from "../../graph/sym.ts";
import type { Emitter } from "../core/emitter.ts";
import type { Lowering, LoweringTable } from "../core/lowering.ts";
import type { OpNode } from "../core/op-node.ts";
import type { Val } from "../core/tensor.ts";
import { unsupported } from "../core/unsupported.ts";
import { extremes } from "./choose-qparams.ts";
import { boundsOf, clamped, holds } from "./codes.ts";
import { decoded, encoded, type Layout, type Names, noteCodes } from "./scaled.ts";

const NAMES: Names = { scale: "scale", zero: "zero_point" };

/** A tensor cut into blocks that share a scale. */
interface Blocks extends Layout {
  readonly dims: readonly Dim[];
  readonly scaleDims: readonly Dim[];
  /** Dimensions of `dims` that lie inside a block. */
  readonly axes: readonly number[];
  /** Blocks along every dimension of the tensor. */
  readonly counts: readonly Dim[];
}

function blocksOf(node: OpNode): Blocks {
  const input = node.tensor("input").dims;
  const dims: Dim[] = [];
  const scaleDims: Dim[] = [];
  const axes: number[] = [];
  const counts: Dim[] = [];
  for (const [i, block] of node.sizes("block_size").entries()) {
    const size = input[i]!;
    if (block === 1 || sameDim(block, size)) {
      if (block !== 1) axes.push(dims.length);
      dims.push(size);
      scaleDims.push(block === 1 ? size : 1);
      counts.push(block === 1 ? size : 1);
      continue;
    }
    const count = sym("floordiv", size, block);
    axes.push(dims.length + 1);
    dims.push(count, block);
    scaleDims.push(count, 1);
    counts.push(count);
  }
  return { dims, scaleDims, axes, counts };
}

/** What the range is when the op does not say it: that of the dtype. */
function rangeOr(node: OpNode, dtype: DType): readonly [number, number] {
  const bounds = boundsOf(dtype);
  const low = node.optionalFloat("quant_min") ?? bounds?.[0];
  const high = node.optionalFloat("quant_max") ?? bounds?.[1];
  if (low === undefined || high === undefined) return unsupported(`codes of ${dtype}`);
  return [low, high];
}

/** torchao::choose_qparams_affine(Tensor? input, str mapping_type, SymInt[] block_size, ScalarType target_dtype, Scalar? quant_min=None, Scalar? quant_max=None, float? eps=None, ScalarType? scale_dtype=None, ScalarType? zero_point_dtype=None, bool keepdim=False) -> (Tensor, Tensor) */
export const chooseAffine: Lowering = (node, g) => {
  const input = node.tensor("input");
  const { dims, axes } = blocksOf(node);
  const range = rangeOr(node, node.optionalDtype("target_dtype") ?? unsupported("codes of no dtype"));
  const x = g.typed(g.reshape(input, dims), dims);
  const { low, high } = extremes(g, x, axes);
  const eps = g.scalar("float32", node.optionalFloat("eps") ?? smallestNormal(input.declared));
  const { scale, zero } = chosen(g, { low, high, eps, range, mapping: node.string("mapping_type") });
  const zeroDtype = node.out(1).dtype;
  const exact = holds(zeroDtype, range) ? g.cast(g.cast(zero.val, "int32"), zeroDtype) : zero.val;
  // Symmetric codes all have the same one.
  const zeros = zero.isShared ? g.expand(exact, node.out(1).dims) : g.reshape(exact, node.out(1).dims);
  return [g.reshape(scale, node.out(0).dims), zeros];
};

function smallestNormal(dtype: DType): number {
  return dtype === "float16" ? 2 ** -14 : 2 ** -126;
}

interface Choice {
  readonly low: Val;
  readonly high: Val;
  readonly eps: Val;
  readonly range: readonly [number, number];
  readonly mapping: string;
}

interface Chosen {
  readonly scale: Val;
  readonly zero: { readonly val: Val; readonly isShared: boolean };
}

function chosen(g: Emitter, { low, high, eps, range, mapping }: Choice): Chosen {
  const [least, most] = [g.scalar("float32", range[0]), g.scalar("float32", range[1])];
  const over = (val: Val, by: number): Val => g.op("Div", [val, g.scalar("float32", by)]);
  const width = range[1] - range[0];
  if (mapping === "ASYMMETRIC") {
    const scale = g.op("Max", [over(g.op("Sub", [high, low]), width), eps]);
    const zero = g.op("Sub", [least, g.op("Round", [g.op("Div", [low, scale])])]);
    return { scale, zero: { val: clamped(g, zero, { low: least, high: most }), isShared: false } };
  }
  const wide =
    mapping === "SYMMETRIC"
      ? over(g.op("Max", [g.op("Neg", [low]), high]), width / 2)
      : g.op("Max", [over(low, range[0]), over(high, range[1])]);
  const val = g.scalar("float32", Math.trunc((range[0] + range[1] + 1) / 2));
  return { scale: g.op("Max", [wide, eps]), zero: { val, isShared: true } };
}

/** torchao::quantize_affine(Tensor input, SymInt[] block_size, Tensor scale, Tensor? zero_point, ScalarType output_dtype, Scalar? quant_min=None, Scalar? quant_max=None) -> Tensor */
export const quantizeAffine: Lowering = (node, g) => {
  const { dtype } = node.out();
  const [low, high] = rangeOr(node, dtype);
  return encoded(node, g, {
    layout: blocksOf(node),
    names: NAMES,
    dtype,
    order: "round, then add the zero",
    range: [low, high],
  });
};

/** torchao::dequantize_affine(Tensor input, SymInt[] block_size, Tensor scale, Tensor? zero_point, ScalarType input_dtype, Scalar? quant_min=None, Scalar? quant_max=None, ScalarType output_dtype=6) -> Tensor */
export const dequantizeAffine: Lowering = (node, g) => {
  const blocks = blocksOf(node);
  const result = decoded(node, g, { layout: blocks, names: NAMES, subtract: "as floats" });
  const [rows, columns, ...others] = blocks.counts;
  const [height, width] = node.tensor("input").dims;
  if (others.length > 0 || columns === undefined || !sameDim(rows!, height!)) return result;
  if (columns === 1) noteCodes(node, g, { result, names: NAMES, kept: { axis: 0 } });
  else if (typeof columns === "number" && typeof width === "number")
    noteCodes(node, g, { result, names: NAMES, kept: { groupSize: width / columns } });
  return result;
};

export const AFFINE: LoweringTable = {
  "torchao.choose_qparams_affine.default": chooseAffine,
  "torchao.quantize_affine.default": quantizeAffine,
  "torchao.dequantize_affine.default": dequantizeAffine,
};

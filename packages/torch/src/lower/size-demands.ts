import { sameDim } from "../graph/sym.ts";
import type { Emitter } from "./core/emitter.ts";
import { requireSome } from "./core/nothing.ts";
import type { OpNode } from "./core/op-node.ts";
import { requirement } from "./core/requirement.ts";
import type { Val } from "./core/tensor.ts";
import {
  alongDim,
  alongDimOrAll,
  averaged,
  besideOpen,
  diagonalFits,
  differenced,
  extremeNorm,
  fractional,
  indexed,
  masksFit,
  otherThanDim,
  type PairsOf,
  padded,
  productOfIntegers,
  renormed,
  type SizesOf,
  samplesOf,
  sourceFits,
  trained,
  transformed,
  unbatched,
  unbatchedBoth,
  unlessNone,
  weightsFit,
  whole,
  wrapsOnce,
} from "./demanded-sizes.ts";

const RESIZING = [
  ...[1, 2, 3].flatMap((n) => [`upsample_nearest${n}d`, `_upsample_nearest_exact${n}d`]),
  "upsample_linear1d",
  "upsample_bilinear2d",
  "upsample_trilinear3d",
  "upsample_bicubic2d",
  "_upsample_bilinear2d_aa",
  "_upsample_bicubic2d_aa",
];

const TRANSFORMS = [
  "_fft_c2c",
  "_fft_c2r",
  "_fft_r2c",
  ...["fft", "ifft", "rfft", "irfft", "hfft", "ihfft"].flatMap((name) =>
    ["", "2", "n"].map((dims) => `fft_${name}${dims}`),
  ),
];

interface Demand {
  /** Sizes that must not be 0. */
  readonly some?: SizesOf;
  /** Sizes that must be the same. */
  readonly same?: PairsOf;
}

/** For 1, 2 and 3 dimensions: an op with "N" for their number. */
function layers(op: string, demandFor: (spatial: number) => Demand): [string, Demand][] {
  return [1, 2, 3].map((spatial) => [op.replace("N", String(spatial)), demandFor(spatial)]);
}

/** Resizing takes a batch always. */
const resized: Demand = { some: (node) => node.tensor("self").dims.slice(1) };
const resizedInput: Demand = { some: (node) => node.tensor("input").dims.slice(1) };

/** By op, for the overloads that the second part names, or for all. */
const DEMANDS: ReadonlyMap<string, Demand> = new Map<string, Demand>([
  ...layers("avg_poolNd", (n) => ({ some: unbatchedBoth(n) })),
  ...layers("max_poolNd", (n) => ({ some: unbatchedBoth(n) })),
  ...layers("max_poolNd_with_indices", (n) => ({ some: unbatchedBoth(n) })),
  ...layers("adaptive_max_poolNd", () => resized),
  ...layers("max_unpoolNd", (n) => ({ some: unbatched(n) })),
  ...layers("reflection_padNd", (n) => ({ some: unbatched(n) })),
  ...layers("replication_padNd", (n) => ({ some: unbatched(n) })),
  ...RESIZING.flatMap((op): [string, Demand][] => [
    [op, resized],
    [`${op}.vec`, resizedInput],
  ]),
  // The library that PyTorch takes for them knows no transforms of nothing, nor none of them.
  ...TRANSFORMS.map((op): [string, Demand] => [op, { some: transformed }]),
  ["im2col", { some: unbatched(2) }],
  ["pad", { some: padded }],
  ["_pad_circular", { some: wrapsOnce }],
  ["kthvalue", { some: alongDim }],
  ["argmax", { some: alongDimOrAll }],
  ["argmin", { some: alongDimOrAll }],
  ["linalg_vector_norm", { some: extremeNorm("ord") }],
  ["norm", { some: extremeNorm("p") }],
  ["mode", { some: alongDim }],
  ["median", { some: alongDim }],
  ["nanmedian", { some: alongDim }],
  ["quantile", { some: whole() }],
  ["nanquantile", { some: whole() }],
  ["_native_batch_norm_legit", { some: trained }],
  ["_native_batch_norm_legit_functional", { some: trained }],
  ["fractional_max_pool2d", { some: fractional(2), same: samplesOf(2) }],
  ["fractional_max_pool3d", { some: fractional(3), same: samplesOf(3) }],
  ["segment_reduce", { some: (node) => (node.has("offsets") ? node.tensor("offsets").dims.slice(-1) : []) }],
  ["_batch_norm_with_update_functional", { some: trained }],
  ["adaptive_avg_pool2d", { some: averaged(2) }],
  ["adaptive_avg_pool3d", { some: averaged(3) }],
  ["batch_norm", { some: (node) => node.optionalTensor("weight")?.dims ?? [] }],
  ["instance_norm", { some: (node) => (node.has("weight") ? node.tensor("input").dims.slice(0, 2) : []) }],
  ["gradient", { some: differenced }],
  ["renorm", { some: renormed }],
  // PyTorch answers with the operand as it is, in other sizes than its program says.
  ["pixel_unshuffle", { some: whole() }],
  ["unique_dim", { some: otherThanDim }],
  ["unique_consecutive", { some: (node) => (node.has("dim") ? otherThanDim(node) : []) }],
  ["_unsafe_masked_index", { some: whole() }],
  ["_unsafe_masked_index_put_accumulate", { some: whole() }],
  ["_chunk_cat", { some: (node) => node.tensors("tensors").flatMap(({ dims }) => dims) }],
  ["bilinear", { some: (node) => ["input1", "input2"].map((name) => node.tensor(name).dims.at(-1)!) }],
  ["addbmm", { some: productOfIntegers }],
  ["baddbmm", { some: (node) => unlessNone(productOfIntegers(node).slice(2, 3), node.out().dims) }],
  ["multi_margin_loss", { some: (node) => node.tensor("self").dims.slice(-1) }],
  ...["view", "view_copy", "reshape", "_unsafe_view", "_reshape_copy"].map((op): [string, Demand] => [
    `${op}.default`,
    { some: besideOpen },
  ]),
  ["bincount", { same: weightsFit }],
  ["index", { some: indexed }],
  ["diagonal_scatter", { same: diagonalFits }],
  ["index_add", { same: sourceFits }],
  ["index_reduce", { same: sourceFits }],
  ["index_copy", { same: sourceFits }],
  ["index_put", { same: masksFit }],
]);

function demandOf(target: string): Demand | undefined {
  const [, op = "", overload = ""] = target.split(".");
  return DEMANDS.get(`${op}.${overload}`) ?? DEMANDS.get(op);
}

/**
 * The results of an op, in a run that fails where its sizes are those that PyTorch raises for. In the main graph the outputs see to it
 * (`guarded`), so that nothing comes between nodes that ONNX Runtime would fuse.
 */
export function demanding(
  node: OpNode,
  g: Emitter,
  results: Val | readonly (Val | undefined)[],
): Val | readonly (Val | undefined)[] {
  const demand = demandOf(node.target);
  if (demand === undefined) return results;
  const guards = guardsOf(node, g, demand);
  if (g.builder.isOutermost) {
    g.guards.push(...guards);
    return results;
  }
  const list: readonly (Val | undefined)[] = Array.isArray(results) ? results : [results as Val];
  return list.map((val) => (val === undefined ? undefined : after(g, val, guards)));
}

const COMPLEX_DEMANDS: ReadonlySet<Demand | undefined> = new Set(TRANSFORMS.map((op) => DEMANDS.get(op)));

/** The demands of a transform of complex numbers; those of other ops are of real tensors. */
export function demandOfComplex(node: OpNode, g: Emitter): void {
  const demand = demandOf(node.target);
  if (demand !== undefined && COMPLEX_DEMANDS.has(demand)) g.guards.push(...guardsOf(node, g, demand));
}

/** A value of the main graph, once all that was demanded on the way is met. */
export function guarded(g: Emitter, val: Val): Val {
  return after(g, val, g.guards);
}

function guardsOf(node: OpNode, g: Emitter, { some, same }: Demand): Val[] {
  const differing = (same?.(node) ?? []).filter(([a, b]) => !sameDim(a, b));
  const guards = differing.map(([a, b]) => {
    const isSame = g.op("Equal", [g.number(a, "int64"), g.number(b, "int64")]);
    return requirement(g, "sizes that go together", g.op("Not", [isSame]));
  });
  const guard = some === undefined ? undefined : requireSome(g, some(node));
  return guard === undefined ? guards : [...guards, guard];
}

/** The value, once the guards (0-d int64 zeros) are known: a dimension is added and taken away where they say. */
function after(g: Emitter, val: Val, guards: readonly Val[]): Val {
  if (guards.length === 0) return val;
  const axis = g.unsqueeze(
    guards.reduce((a, b) => g.op("Add", [a, b])),
    [0],
  );
  return g.op("Squeeze", [g.op("Unsqueeze", [val, axis]), axis]);
}

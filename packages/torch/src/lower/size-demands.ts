import { add, type Dim, product, sameDim, sub, sym } from "../graph/sym.ts";
import type { Emitter } from "./core/emitter.ts";
import { requireSome } from "./core/nothing.ts";
import type { OpNode } from "./core/op-node.ts";
import { requirement } from "./core/requirement.ts";
import { normalizeAxis, type Val } from "./core/tensor.ts";

const RESIZING = [
  ...[1, 2, 3].flatMap((n) => [`upsample_nearest${n}d`, `_upsample_nearest_exact${n}d`]),
  "upsample_linear1d",
  "upsample_bilinear2d",
  "upsample_trilinear3d",
  "upsample_bicubic2d",
  "_upsample_bilinear2d_aa",
  "_upsample_bicubic2d_aa",
];

/** Which sizes PyTorch raises for, where ONNX Runtime would answer. */
type PairsOf = (node: OpNode) => readonly (readonly [Dim, Dim])[];
type SizesOf = (node: OpNode) => readonly Dim[];

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

/** All sizes of an operand. */
const whole =
  (name = "self"): SizesOf =>
  (node) =>
    node.tensor(name).dims;

/** What is transformed, in the sizes that `n` or `s` cut or fill it to, and how often. */
const transformed: SizesOf = (node) => {
  const isResized = ["n", "s"].some((name) => node.has(name));
  const { dims } = node.isComplex("self") ? node.complex("self").re : node.tensor("self");
  return [...node.out().dims.map((dim) => sym("max", 0, dim)), ...(isResized ? [] : dims)];
};

/** All sizes of an operand but a batch, of layers over so many dimensions. */
const unbatched =
  (spatial: number): SizesOf =>
  (node) => {
    const { dims } = node.tensor("self");
    return dims.length === spatial + 1 ? dims : dims.slice(1);
  };

/** The same for layers whose result must have something, too. */
const unbatchedBoth =
  (spatial: number): SizesOf =>
  (node) => [
    ...unbatched(spatial)(node),
    ...node
      .out()
      .dims.slice(-spatial)
      .map((dim) => sym("max", 0, dim)),
  ];

const wrapsOnce: SizesOf = (node) => {
  const { dims } = node.tensor("self");
  const pad = node.sizes("pad");
  return Array.from({ length: pad.length }, (_, i) => {
    const size = dims.at(-1 - Math.floor(i / 2))!;
    return sym("max", 0, sub(size, sub(pad[i]!, 1)));
  });
};

/** Padding by what is there, over as many dimensions as are padded. */
const padded: SizesOf = (node) => {
  const mode = node.string("mode");
  if (mode === "circular") return wrapsOnce(node);
  return mode === "constant" ? [] : unbatched(node.items("pad").length / 2)(node);
};

/** The dimension that `dim` names. */
const alongDim: SizesOf = (node) => {
  if (!node.has("dim")) return [];
  const { dims } = node.tensor("self");
  return dims.length === 0 ? [] : [dims[normalizeAxis(node.int("dim"), dims.length)]!];
};

/** The dimension that `dim` names, or all of them. */
const alongDimOrAll: SizesOf = (node) => (node.has("dim") ? alongDim(node) : node.tensor("self").dims);

/** The largest and the smallest of nothing are not defined, nor are powers below 0: what a norm of such an order reduces. */
const extremeNorm =
  (order: string): SizesOf =>
  (node) => {
    const value = node.has(order) ? Number(node.scalar(order).value) : 2;
    if (value >= 0 && value !== Number.POSITIVE_INFINITY) return [];
    const { dims } = node.tensor("self");
    const axes = node.has("dim") ? node.ints("dim") : [];
    return axes.length === 0 ? dims : axes.map((axis) => dims[normalizeAxis(axis, dims.length)] ?? 1);
  };

const otherThanDim: SizesOf = (node) => {
  const { dims } = node.tensor("self");
  const axis = normalizeAxis(node.int("dim"), dims.length);
  return dims.filter((_, i) => i !== axis);
};

/** The source of rows that are put or added at an index: as many as there are indices, and otherwise of self's sizes. */
const sourceFits: PairsOf = (node) => {
  const [self, index, source] = ["self", "index", "source"].map((name) => node.tensor(name).dims);
  if (self!.length === 0 || self!.length !== source!.length) return [];
  const axis = normalizeAxis(node.int("dim"), self!.length);
  return source!.map((dim, i) => [dim, i === axis ? product(index!) : self![i]!]);
};

/** Masks among indices have the sizes of what they mask. */
const masksFit: PairsOf = (node) => {
  const { dims } = node.tensor("self");
  let axis = 0;
  return node.optionalTensors("indices").flatMap((index) => {
    const start = axis;
    const isMask = index?.declared === "bool" || index?.declared === "uint8";
    axis += isMask ? index.dims.length : 1;
    return isMask ? index.dims.map((dim, i): [Dim, Dim] => [dim, dims[start + i]!]) : [];
  });
};

const diagonalFits: PairsOf = (node) => {
  const { dims } = node.tensor("self");
  const src = node.tensor("src").dims;
  const axes = ["dim1", "dim2"].map((name) => normalizeAxis(node.int(name), dims.length));
  const [rows, columns] = axes.map((axis) => dims[axis]!);
  const offset = node.int("offset");
  const [below, right] = [sub(rows!, Math.max(-offset, 0)), sub(columns!, Math.max(offset, 0))];
  const length = sym("max", 0, sym("min", below, right));
  const rest = dims.filter((_, axis) => !axes.includes(axis));
  return [...rest, length].map((dim, i) => [src[i] ?? 1, dim]);
};

/** Integers scaled by a fraction, which PyTorch notices only where there is nothing. */
const productOfIntegers: SizesOf = (node) => {
  const isWhole = Number.isInteger(node.scalar("beta").value) && node.scalar("beta").kind !== "float";
  if (isWhole || !node.out().declared.startsWith("int")) return [];
  return [...node.tensor("batch1").dims, node.tensor("batch2").dims.at(-1)!];
};

/** The sizes, where there are any of the others. */
function unlessNone(sizes: readonly Dim[], others: readonly Dim[]): readonly Dim[] {
  return sizes.map((size) => add(size, sym("eq", product(others), 0)));
}

/** Dimensions that are indexed, where other dimensions have nothing and the index has something: ONNX Runtime then looks nothing up. */
const indexed: SizesOf = (node) => {
  const { dims } = node.tensor("self");
  const indices = node.optionalTensors("indices");
  const isIndexed = (axis: number): boolean => indices[axis] !== undefined;
  if (indices.some((index) => index?.declared === "bool" || index?.declared === "uint8")) return [];
  if (dims.every((dim, axis) => isIndexed(axis) || (typeof dim === "number" && dim > 0))) return [];
  const sizes = dims.filter((_, axis) => isIndexed(axis));
  const shape = indices.flatMap((index) => index?.dims ?? []);
  return unlessNone(sizes, shape);
};

const trained: SizesOf = (node) =>
  node.has("training") && !node.bool("training") ? [] : node.tensor("input").dims;

/** Differences take one place more than their order at the edge. */
const differenced: SizesOf = (node) => {
  const { dims } = node.tensor("self");
  const axes = node.has("dim") ? node.ints("dim") : dims.map((_, axis) => axis);
  const sizes = axes.map((axis) => dims[normalizeAxis(axis, dims.length)]!);
  return sizes.map((size) => sym("max", 0, sub(size, node.int("edge_order"))));
};

/** The largest of nothing is not defined. */
const renormed: SizesOf = (node) => (node.float("p") === Number.POSITIVE_INFINITY ? otherThanDim(node) : []);

/** The sizes beside one that is left open (-1), which could be any where one of them is 0. */
const besideOpen: SizesOf = (node) => {
  const name = node.has("shape") ? "shape" : "size";
  const sizes = node.sizes(name);
  return sizes.includes(-1) ? sizes.filter((size) => size !== -1) : [];
};

const weightsFit: PairsOf = (node) => {
  const weights = node.optionalTensor("weights");
  return weights === undefined ? [] : [[weights.dims[0]!, node.tensor("self").dims[0]!]];
};

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
  ["_batch_norm_with_update_functional", { some: trained }],
  ["adaptive_avg_pool2d", { some: (node) => node.tensor("self").dims.slice(-2) }],
  ["adaptive_avg_pool3d", { some: (node) => node.tensor("self").dims.slice(-3) }],
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

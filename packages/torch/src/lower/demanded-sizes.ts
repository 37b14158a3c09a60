import { add, type Dim, product, sub, sym } from "../graph/sym.ts";
import type { OpNode } from "./core/op-node.ts";
import { normalizeAxis } from "./core/tensor.ts";

/** Which sizes PyTorch raises for, where ONNX Runtime would answer. */
export type PairsOf = (node: OpNode) => readonly (readonly [Dim, Dim])[];
export type SizesOf = (node: OpNode) => readonly Dim[];

/** All sizes of an operand. */
export const whole =
  (name = "self"): SizesOf =>
  (node) =>
    node.tensor(name).dims;

/** What is transformed, in the sizes that `n` or `s` cut or fill it to, and how often. */
export const transformed: SizesOf = (node) => {
  const isResized = ["n", "s"].some((name) => node.has(name));
  const { dims } = node.isComplex("self") ? node.complex("self").re : node.tensor("self");
  return [...node.out().dims.map((dim) => sym("max", 0, dim)), ...(isResized ? [] : dims)];
};

/** All sizes of an operand but a batch, of layers over so many dimensions. */
export const unbatched =
  (spatial: number): SizesOf =>
  (node) => {
    const { dims } = node.tensor("self");
    return dims.length === spatial + 1 ? dims : dims.slice(1);
  };

/** The same for layers whose result must have something, too. */
export const unbatchedBoth =
  (spatial: number): SizesOf =>
  (node) => [
    ...unbatched(spatial)(node),
    ...node
      .out()
      .dims.slice(-spatial)
      .map((dim) => sym("max", 0, dim)),
  ];

export const wrapsOnce: SizesOf = (node) => {
  const { dims } = node.tensor("self");
  const pad = node.sizes("pad");
  return Array.from({ length: pad.length }, (_, i) => {
    const size = dims.at(-1 - Math.floor(i / 2))!;
    return sym("max", 0, sub(size, sub(pad[i]!, 1)));
  });
};

/** Padding by what is there, over as many dimensions as are padded. */
export const padded: SizesOf = (node) => {
  const mode = node.string("mode");
  if (mode === "circular") return wrapsOnce(node);
  return mode === "constant" ? [] : unbatched(node.items("pad").length / 2)(node);
};

/** The dimension that `dim` names. */
export const alongDim: SizesOf = (node) => {
  if (!node.has("dim")) return [];
  const { dims } = node.tensor("self");
  return dims.length === 0 ? [] : [dims[normalizeAxis(node.int("dim"), dims.length)]!];
};

/** The dimension that `dim` names, or all of them. */
export const alongDimOrAll: SizesOf = (node) => (node.has("dim") ? alongDim(node) : node.tensor("self").dims);

/** The largest and the smallest of nothing are not defined, nor are powers below 0: what a norm of such an order reduces. */
export const extremeNorm =
  (order: string): SizesOf =>
  (node) => {
    const value = node.has(order) ? Number(node.scalar(order).value) : 2;
    if (value >= 0 && value !== Number.POSITIVE_INFINITY) return [];
    const { dims } = node.tensor("self");
    const axes = node.has("dim") ? node.ints("dim") : [];
    return axes.length === 0 ? dims : axes.map((axis) => dims[normalizeAxis(axis, dims.length)] ?? 1);
  };

export const otherThanDim: SizesOf = (node) => {
  const { dims } = node.tensor("self");
  const axis = normalizeAxis(node.int("dim"), dims.length);
  return dims.filter((_, i) => i !== axis);
};

/** The source of rows that are put or added at an index: as many as there are indices, and otherwise of self's sizes. */
export const sourceFits: PairsOf = (node) => {
  const [self, index, source] = ["self", "index", "source"].map((name) => node.tensor(name).dims);
  if (self!.length === 0 || self!.length !== source!.length) return [];
  const axis = normalizeAxis(node.int("dim"), self!.length);
  return source!.map((dim, i) => [dim, i === axis ? product(index!) : self![i]!]);
};

/** Masks among indices have the sizes of what they mask. */
export const masksFit: PairsOf = (node) => {
  const { dims } = node.tensor("self");
  let axis = 0;
  return node.optionalTensors("indices").flatMap((index) => {
    const start = axis;
    const isMask = index?.declared === "bool" || index?.declared === "uint8";
    axis += isMask ? index.dims.length : 1;
    return isMask ? index.dims.map((dim, i): [Dim, Dim] => [dim, dims[start + i]!]) : [];
  });
};

export const diagonalFits: PairsOf = (node) => {
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
export const productOfIntegers: SizesOf = (node) => {
  const isWhole = Number.isInteger(node.scalar("beta").value) && node.scalar("beta").kind !== "float";
  if (isWhole || !node.out().declared.startsWith("int")) return [];
  return [...node.tensor("batch1").dims, node.tensor("batch2").dims.at(-1)!];
};

/** The sizes, where there are any of the others. */
export function unlessNone(sizes: readonly Dim[], others: readonly Dim[]): readonly Dim[] {
  return sizes.map((size) => add(size, sym("eq", product(others), 0)));
}

/** Dimensions that are indexed, where other dimensions have nothing and the index has something: ONNX Runtime then looks nothing up. */
export const indexed: SizesOf = (node) => {
  const { dims } = node.tensor("self");
  const indices = node.optionalTensors("indices");
  const isIndexed = (axis: number): boolean => indices[axis] !== undefined;
  if (indices.some((index) => index?.declared === "bool" || index?.declared === "uint8")) return [];
  if (dims.every((dim, axis) => isIndexed(axis) || (typeof dim === "number" && dim > 0))) return [];
  const sizes = dims.filter((_, axis) => isIndexed(axis));
  const shape = indices.flatMap((index) => index?.dims ?? []);
  return unlessNone(sizes, shape);
};

export const trained: SizesOf = (node) =>
  node.has("training") && !node.bool("training") ? [] : node.tensor("input").dims;

/** Windows that fit into each dimension, samples for as many images as there are, and something but for the batch. */
export const fractional =
  (spatial: number): SizesOf =>
  (node) => {
    const { dims } = node.tensor("self");
    const samples = node.tensor("random_samples").dims[0]!;
    const [windows, counts] = [node.ints("kernel_size"), node.ints("output_size")];
    const left = dims.slice(-spatial).map((dim, i) => sub(dim, windows[i]! + counts[i]! - 2));
    const images = dims.length > spatial + 1 ? dims[0]! : 1;
    return [
      ...unbatched(spatial)(node),
      ...[...left, sub(add(samples, 1), images)].map((dim) => sym("max", 0, dim)),
    ];
  };

export const samplesOf =
  (spatial: number): PairsOf =>
  (node) => {
    const [, channels, numbers] = node.tensor("random_samples").dims;
    return [
      [channels!, node.tensor("self").dims.at(-1 - spatial)!],
      [numbers!, spatial],
    ];
  };

/** Of one bin PyTorch takes the mean, which of nothing is NaN. */
export const averaged =
  (spatial: number): SizesOf =>
  (node) =>
    node.sizes("output_size").every((size) => size === 1) ? [] : node.tensor("self").dims.slice(-spatial);

/** Differences take one place more than their order at the edge. */
export const differenced: SizesOf = (node) => {
  const { dims } = node.tensor("self");
  const axes = node.has("dim") ? node.ints("dim") : dims.map((_, axis) => axis);
  const sizes = axes.map((axis) => dims[normalizeAxis(axis, dims.length)]!);
  return sizes.map((size) => sym("max", 0, sub(size, node.int("edge_order"))));
};

/** The largest of nothing is not defined. */
export const renormed: SizesOf = (node) =>
  node.float("p") === Number.POSITIVE_INFINITY ? otherThanDim(node) : [];

/** The sizes beside one that is left open (-1), which could be any where one of them is 0. */
export const besideOpen: SizesOf = (node) => {
  const name = node.has("shape") ? "shape" : "size";
  const sizes = node.sizes(name);
  return sizes.includes(-1) ? sizes.filter((size) => size !== -1) : [];
};

export const weightsFit: PairsOf = (node) => {
  const weights = node.optionalTensor("weights");
  return weights === undefined ? [] : [[weights.dims[0]!, node.tensor("self").dims[0]!]];
};

import { type Dim, product, sameDims } from "../../graph/sym.ts";
import type { Emitter } from "../core/emitter.ts";
import { rejectBytes } from "../core/fitting.ts";
import type { Lowering, LoweringTable } from "../core/lowering.ts";
import type { OpNode } from "../core/op-node.ts";
import { normalizeAxis, type Tensor, type Val } from "../core/tensor.ts";
import { unsupported } from "../core/unsupported.ts";
import { magnitude } from "../linalg/norms.ts";
import { broadcastDims } from "../shape/indexing.ts";

/** Both operands in the type and with the size that they have together. */
function aligned(
  node: OpNode,
  g: Emitter,
  names: readonly [string, string],
): { values: [Val, Val]; dims: Dim[] } {
  const { dtype } = node.out();
  const operands = names.map((name) => node.tensor(name));
  const dims = broadcastDims(operands.map((operand) => operand.dims));
  const values = operands.map((operand) => {
    const typed = g.cast(operand, dtype);
    return sameDims(operand.dims, dims) ? typed : g.expand(typed, dims);
  });
  return { values: values as [Val, Val], dims };
}

/** aten::cosine_similarity(Tensor x1, Tensor x2, int dim=1, float eps=1e-08) -> Tensor */
export const cosineSimilarity: Lowering = (node, g) => {
  const { values, dims } = aligned(node, g, ["x1", "x2"]);
  const axes = dims.length === 0 ? [] : [normalizeAxis(node.int("dim"), dims.length)];
  const [a, b] = values.map((x) => {
    const length = magnitude(g, g.op("Abs", [x]), { ord: 2, axes, keepdims: 1 });
    return g.op("Div", [x, g.op("Max", [length, g.scalar(x.dtype, node.float("eps"))])]);
  });
  const products = g.op("Mul", [a!, b!]);
  return axes.length === 0 ? products : g.op("ReduceSum", [products, g.ints(axes)], { keepdims: 0 });
};

/** aten::pairwise_distance(Tensor x1, Tensor x2, float p=2., float eps=1e-06, bool keepdim=False) -> Tensor */
export const pairwiseDistance: Lowering = (node, g) => {
  rejectBytes([node.tensor("x1"), node.tensor("x2")]);
  const { values, dims } = aligned(node, g, ["x1", "x2"]);
  const [a, b] = values;
  return distance(g, a, b, {
    p: node.float("p"),
    eps: node.float("eps"),
    axes: dims.length === 0 ? [] : [dims.length - 1],
    keepdims: Number(node.bool("keepdim")),
  });
};

interface Distance {
  readonly p: number;
  readonly eps: number;
  readonly axes: readonly number[];
  readonly keepdims: number;
}

/** The norm of a - b + eps. */
export function distance(g: Emitter, a: Val, b: Val, { p, eps, axes, keepdims }: Distance): Val {
  const difference = g.op("Sub", [a, b]);
  const shifted = eps === 0 ? difference : g.op("Add", [difference, g.scalar(a.dtype, eps)]);
  return magnitude(g, g.op("Abs", [shifted]), { ord: p, axes, keepdims });
}

/**
 * Above this many differences euclidean distances are calculated by a matrix product, for its memory. PyTorch does so from 26 rows on,
 * but differences give small distances more precisely.
 */
const DIRECT_DIFFERENCES = 1 << 24;

/**
 * aten::cdist(Tensor x1, Tensor x2, float p=2., int? compute_mode=None) -> Tensor
 * aten::_cdist_forward(Tensor x1, Tensor x2, float p, int? compute_mode) -> Tensor
 *
 * Distances of all rows to all rows.
 */
export const cdist: Lowering = (node, g) => {
  const [x1, x2] = [node.tensor("x1"), node.tensor("x2")];
  const p = node.float("p");
  const mode = node.optionalInt("compute_mode") ?? 0;
  const differences = product([...x1.dims, x2.dims.at(-2)!]);
  const isLarge = typeof differences === "number" && differences > DIRECT_DIFFERENCES;
  if (p === 2 && (mode === 1 || (mode === 0 && isLarge))) return byProduct(g, x1, x2);
  const rank = Math.max(x1.dims.length, x2.dims.length);
  return distance(g, g.unsqueeze(x1, [-2]), g.unsqueeze(x2, [-3]), { p, eps: 0, axes: [rank], keepdims: 0 });
};

/** sqrt(|a|² + |b|² - 2 a·b) */
function byProduct(g: Emitter, x1: Tensor, x2: Tensor): Val {
  const square = (x: Val, axis: number): Val =>
    g.op("ReduceSum", [g.op("Mul", [x, x]), g.ints([axis])], { keepdims: 1 });
  const turned = g.unsqueeze(g.squeeze(square(x2, -1), [-1]), [-2]);
  const letters = "abcdefgh";
  const [left, right] = [x1, x2].map(({ dims }) => letters.slice(letters.length - dims.length + 2));
  const longer = left!.length > right!.length ? left! : right!;
  const inner = g.op("Einsum", [x1, x2], { equation: `${left}ik,${right}jk->${longer}ij` });
  const sum = g.op("Sub", [
    g.op("Add", [square(x1, -1), turned]),
    g.op("Mul", [inner, g.scalar(inner.dtype, 2)]),
  ]);
  return g.op("Sqrt", [g.op("Max", [sum, g.scalar(sum.dtype, 0)])]);
}

/**
 * aten::pdist(Tensor self, float p=2.) -> Tensor
 * aten::_pdist_forward(Tensor self, float p=2.) -> Tensor
 *
 * Distances of every row to all later ones.
 */
export const pdist: Lowering = (node, g) => {
  const self = node.tensor("self");
  const rows = self.dims[0]!;
  if (typeof rows !== "number") return unsupported("the number of its rows is not constant");
  const pairs = Array.from({ length: rows }, (_, i) => i).flatMap((i) =>
    Array.from({ length: rows - i - 1 }, (_, j) => [i, i + j + 1] as const),
  );
  const take = (side: 0 | 1): Val =>
    g.op("Gather", [self, g.ints(pairs.map((pair) => pair[side]))], { axis: 0 });
  return distance(g, take(0), take(1), { p: node.float("p"), eps: 0, axes: [1], keepdims: 0 });
};

export const DISTANCES: LoweringTable = {
  "aten.cosine_similarity.default": cosineSimilarity,
  "aten.pairwise_distance.default": pairwiseDistance,
  "aten.cdist.default": cdist,
  "aten._cdist_forward.default": cdist,
  "aten.pdist.default": pdist,
  "aten._pdist_forward.default": pdist,
};

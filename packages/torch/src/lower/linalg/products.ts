import { type Dim, product, sameDim } from "../../graph/sym.ts";
import type { Emitter } from "../core/emitter.ts";
import { all, type Lowering, type LoweringTable } from "../core/lowering.ts";
import { unlessNothing } from "../core/nothing.ts";
import { normalizeAxis, type Tensor, type Val } from "../core/tensor.ts";
import { unsupported } from "../core/unsupported.ts";

function cast(g: Emitter, tensor: Tensor, dtype: Val["dtype"]): Tensor {
  return { ...tensor, ...g.cast(tensor, dtype) };
}

/** aten::tensordot(Tensor self, Tensor other, int[] dims_self, int[] dims_other) -> Tensor: one matrix product */
export const tensordot: Lowering = (node, g) => {
  const { dtype, dims } = node.out();
  const axesOf = (name: string, rank: number): number[] =>
    node.ints(name).map((axis) => normalizeAxis(axis, rank));
  const given = [cast(g, node.tensor("self"), dtype), cast(g, node.tensor("other"), dtype)] as const;
  const [left, right] = [
    axesOf("dims_self", given[0].dims.length),
    axesOf("dims_other", given[1].dims.length),
  ];
  const a = summedWhere(g, given[0], left, (i) => given[1].dims[right[i]!] === 1);
  const b = summedWhere(g, given[1], right, (i) => given[0].dims[left[i]!] === 1);
  const free = (tensor: Tensor, axes: readonly number[]): number[] =>
    tensor.dims.map((_, axis) => axis).filter((axis) => !axes.includes(axis));
  const [rows, columns] = [free(a, left), free(b, right)];
  const depth = product(left.map((axis) => a.dims[axis]!));
  const [height, width] = [product(rows.map((i) => a.dims[i]!)), product(columns.map((i) => b.dims[i]!))];
  const shaped = (val: Val, size: readonly Dim[]): Tensor => g.typed(g.reshape(val, size), size);
  const first = shaped(g.transpose(a, [...rows, ...left]), [height, depth]);
  const second = shaped(g.transpose(b, [...right, ...columns]), [depth, width]);
  return g.reshape(multiplySome(g, [first, second], [height, width]), dims);
};

/** The sum over those of the axes along which the other operand is broadcast. */
function summedWhere(
  g: Emitter,
  x: Tensor,
  axes: readonly number[],
  isBroadcast: (index: number) => boolean,
): Tensor {
  const summed = axes.filter((axis, i) => isBroadcast(i) && x.dims[axis] !== 1);
  if (summed.length === 0) return x;
  const sum = g.op("ReduceSum", [x, g.ints(summed)], { keepdims: 1 });
  const dims = x.dims.map((dim, axis) => (summed.includes(axis) ? 1 : dim));
  return { ...x, ...sum, dims };
}

/** MatMul, which ONNX Runtime has for no narrow integers and no booleans. */
export function multiply(g: Emitter, a: Val, b: Val): Val {
  const dtype = a.dtype === "bool" ? "int32" : a.dtype;
  return g.cast(g.op("MatMul", [g.cast(a, dtype), g.cast(b, dtype)]), a.dtype);
}

/**
 * `multiply` of a matrix (or several) and a vector, which becomes a matrix of one column: ONNX Runtime takes a transposition into the
 * product and gets that of a matrix and a vector wrong then. Anything else is `multiply` itself.
 */
export function multiplyRanked(g: Emitter, a: Tensor, b: Tensor): Val {
  if (b.dims.length !== 1 || a.dims.length < 2) return multiply(g, a, b);
  return g.squeeze(multiply(g, a, g.unsqueeze(b, [-1])), [-1]);
}

/** `multiply` where there may be nothing: MatMul then fails for some ranks, and sums of no products are not always 0. */
export function multiplySome(g: Emitter, [a, b]: readonly [Tensor, Tensor], dims: readonly Dim[]): Val {
  const [left, right] = [a.dims.length, b.dims.length];
  const isEven = right === 2 ? left >= 2 : left >= right && right > 1;
  const depth = a.dims.at(-1)!;
  // Where the product is as empty as its factors there is no sum to go wrong.
  const isTurned = [a, b].some((factor) => turnsBatch(g, factor));
  if (isEven && !isTurned && dims.some((dim) => sameDim(dim, depth))) return multiplyRanked(g, a, b);
  const sizes = isEven && !isTurned ? [depth] : [...a.dims, ...b.dims];
  const empty = [{ dtype: a.dtype, dims }];
  return unlessNothing(g, { sizes, empty, emit: (inner) => [multiplyRanked(inner, a, b)] })[0]!;
}

/** Ops that ONNX Runtime takes into a product together with a transposition before them. */
const SCALING: ReadonlySet<string> = new Set(["Div", "Identity", "Mul", "Transpose"]);
const MOST_SCALINGS = 6;

/**
 * Whether matrices come out of a transposition that moves the batch. ONNX Runtime takes that into the product, and the process ends where
 * one of the sizes is 0.
 */
function turnsBatch(g: Emitter, factor: Val): boolean {
  let { name } = factor;
  for (let i = 0; i < MOST_SCALINGS; i++) {
    const producer = g.builder.producer(name);
    if (producer === undefined || !SCALING.has(producer.type)) return false;
    const { perm } = producer.attributes;
    if (producer.type === "Transpose" && Array.isArray(perm) && perm.length === 3 && perm[0] !== 0)
      return true;
    name = producer.inputs[0]!;
  }
  return false;
}

/** Element products; of booleans, both. */
export function times(g: Emitter, a: Val, b: Val): Val {
  return g.op(a.dtype === "bool" ? "And" : "Mul", [a, b]);
}

/** aten::kron(Tensor self, Tensor other) -> Tensor */
export const kron: Lowering = (node, g) => {
  const { dtype, dims } = node.out();
  const [a, b] = [cast(g, node.tensor("self"), dtype), cast(g, node.tensor("other"), dtype)];
  const padded = (tensor: Tensor): Dim[] => [
    ...Array.from({ length: dims.length - tensor.dims.length }, () => 1),
    ...tensor.dims,
  ];
  const outer = g.reshape(
    a,
    padded(a).flatMap((dim) => [dim, 1]),
  );
  const inner = g.reshape(
    b,
    padded(b).flatMap((dim) => [1, dim]),
  );
  return g.reshape(times(g, outer, inner), dims);
};

/**
 * aten::outer(Tensor self, Tensor vec2) -> Tensor
 * aten::ger(Tensor self, Tensor vec2) -> Tensor
 */
export const outer: Lowering = (node, g) => {
  const { dtype } = node.out();
  const [a, b] = [g.cast(node.tensor("self"), dtype), g.cast(node.tensor("vec2"), dtype)];
  return times(g, g.unsqueeze(a, [1]), g.unsqueeze(b, [0]));
};

/** aten::inner(Tensor self, Tensor other) -> Tensor: products over the last dimensions of both */
export const inner: Lowering = (node, g) => {
  const { dtype, dims } = node.out();
  const [a, b] = [cast(g, node.tensor("self"), dtype), cast(g, node.tensor("other"), dtype)];
  if (a.dims.length === 0 || b.dims.length === 0) return times(g, a, b);
  const depth = a.dims.at(-1)!;
  const rows = (tensor: Tensor): Val => g.reshape(tensor, [product(tensor.dims.slice(0, -1)), depth]);
  return g.reshape(multiply(g, rows(a), g.transpose(rows(b), [1, 0])), dims);
};

/** aten::vdot(Tensor self, Tensor other) -> Tensor, aten::linalg_vecdot(Tensor x, Tensor y, *, int dim=-1) -> Tensor */
function dotAlong(first: string, second: string): Lowering {
  return (node, g) => {
    const { dtype, dims } = node.out();
    const [a, b] = [g.cast(node.tensor(first), dtype), g.cast(node.tensor(second), dtype)];
    const axis = node.has("dim") ? normalizeAxis(node.int("dim"), dims.length + 1) : 0;
    return g.op("ReduceSum", [g.op("Mul", [a, b]), g.ints([axis])], { keepdims: 0 });
  };
}

/**
 * aten::linalg_cross(Tensor self, Tensor other, *, int dim=-1) -> Tensor
 * aten::cross(Tensor self, Tensor other, int? dim=None) -> Tensor
 *
 * `cross` without dim takes the first of size 3.
 */
export const cross: Lowering = (node, g) => {
  const { dtype, dims } = node.out();
  const axis = node.has("dim") ? normalizeAxis(node.int("dim"), dims.length) : dims.indexOf(3);
  const turned = (name: string, order: readonly number[]): Val =>
    g.op("Gather", [g.expand(g.cast(node.tensor(name), dtype), dims), g.ints(order)], { axis });
  const [next, last] = [
    [1, 2, 0],
    [2, 0, 1],
  ];
  return g.op("Sub", [
    g.op("Mul", [turned("self", next!), turned("other", last!)]),
    g.op("Mul", [turned("self", last!), turned("other", next!)]),
  ]);
};

/** aten::linalg_vander(Tensor x, *, SymInt? N=None) -> Tensor: running products, so that integers stay exact */
export const vander: Lowering = (node, g) => {
  const { dtype, dims } = node.out();
  const x = g.unsqueeze(g.cast(node.tensor("x"), dtype), [-1]);
  const count = dims.at(-1)!;
  if (typeof count !== "number") return unsupported("the number of powers is not constant");
  const columns = [g.expand(g.scalar(dtype, 1), [...dims.slice(0, -1), 1])];
  while (columns.length < count) columns.push(g.op("Mul", [columns.at(-1)!, x]));
  return columns.length === 1 ? columns[0]! : g.op("Concat", columns, { axis: -1 });
};

/** aten::linalg_multi_dot(Tensor[] tensors) -> Tensor, aten::chain_matmul(Tensor[] matrices) -> Tensor: from the left */
function chain(name: string): Lowering {
  return (node, g) => {
    const { dtype } = node.out();
    // A product has as many dimensions as its first factor until the last one.
    const [first, ...rest] = node.tensors(name).map((tensor) => cast(g, tensor, dtype));
    let result: Tensor = first!;
    for (const next of rest) result = { ...result, ...multiplyRanked(g, result, next) };
    return result;
  };
}

export const PRODUCTS: LoweringTable = {
  "aten.tensordot.default": tensordot,
  "aten.kron.default": kron,
  "aten.outer.default": outer,
  "aten.ger.default": outer,
  "aten.inner.default": inner,
  "aten.vdot.default": dotAlong("self", "other"),
  "aten.linalg_vecdot.default": dotAlong("x", "y"),
  ...all("cross", cross, ["default"]),
  "aten.linalg_cross.default": cross,
  "aten.linalg_vander.default": vander,
  "aten.linalg_multi_dot.default": chain("tensors"),
  "aten.chain_matmul.default": chain("matrices"),
};

import type { Emitter } from "../core/emitter.ts";
import { rejectBytes } from "../core/fitting.ts";
import { all, type Lowering, type LoweringTable } from "../core/lowering.ts";
import type { OpNode } from "../core/op-node.ts";
import { isTensor, normalizeAxis, type Operand, type Tensor, type Val } from "../core/tensor.ts";
import { unsupported } from "../core/unsupported.ts";

/** A tensor along one of its dimensions, in the dtype of the result. */
interface Line {
  readonly x: Tensor;
  readonly axis: number;
  readonly dtype: Val["dtype"];
  readonly order: number;
}

/** The places from `start` to `end`, which count from the end below 0; 0 is the very end. */
function part(g: Emitter, x: Val, axis: number, [start, end]: readonly [number, number]): Val {
  const last = end === 0 ? Number.MAX_SAFE_INTEGER : end;
  return g.op("Slice", [x, g.ints([start]), g.ints([last]), g.ints([axis])]);
}

/** Sums of neighbours with these weights. */
function combined(g: Emitter, terms: readonly (readonly [Val, Val])[]): Val {
  return terms.map(([weight, x]) => g.op("Mul", [weight, x])).reduce((a, b) => g.op("Add", [a, b]));
}

const at = (place: number): readonly [number, number] => [place, place + 1];

/** Differences over places that are `spacing` apart. */
function evenly(g: Emitter, { x, axis, dtype, order }: Line, spacing: Operand): Val {
  const step = g.as(spacing, dtype);
  const number = (value: number): Val => g.scalar(dtype, value);
  const over = (value: Val, width: Val): Val => g.op("Div", [g.cast(value, dtype), width]);
  const between = (front: readonly [number, number], back: readonly [number, number]): Val =>
    g.op("Sub", [part(g, x, axis, front), part(g, x, axis, back)]);
  const twice = g.op("Mul", [step, number(2)]);
  const inner = over(between([2, 0], [0, -2]), twice);
  const edge = (places: readonly [number, number, number], sign: number): Val => {
    const [a, b, c] = places.map((place) => g.cast(part(g, x, axis, at(place)), dtype));
    const sum = combined(g, [
      [number(-3 * sign), a!],
      [number(4 * sign), b!],
      [number(-sign), c!],
    ]);
    return over(sum, twice);
  };
  const [first, last] =
    order === 2
      ? [edge([0, 1, 2], 1), edge([-1, -2, -3], -1)]
      : [over(between(at(1), at(0)), step), over(between(at(-1), at(-2)), step)];
  return g.op("Concat", [first!, inner, last!], { axis });
}

/** Differences over places with coordinates of their own. */
function unevenly(g: Emitter, { x: given, axis, dtype, order }: Line, coordinates: Tensor): Val {
  const x = g.cast(given, dtype);
  const behind = given.dims.length - axis - 1;
  const div = (a: Val, b: Val): Val => g.op("Div", [a, b]);
  const mul = (a: Val, b: Val): Val => g.op("Mul", [a, b]);
  const sum = (a: Val, b: Val): Val => g.op("Add", [a, b]);
  const neg = (a: Val): Val => g.op("Neg", [a]);
  const steps = g.op("Sub", [
    part(g, g.cast(coordinates, dtype), 0, [1, 0]),
    part(g, g.cast(coordinates, dtype), 0, [0, -1]),
  ]);
  const step = (places: readonly [number, number]): Val => {
    const own = part(g, steps, 0, places);
    return behind === 0
      ? own
      : g.unsqueeze(
          own,
          Array.from({ length: behind }, (_, i) => i + 1),
        );
  };
  const [left, right] = [step([0, -1]), step([1, 0])];
  const inner = combined(g, [
    [neg(div(right, mul(left, sum(left, right)))), part(g, x, axis, [0, -2])],
    [div(g.op("Sub", [right, left]), mul(left, right)), part(g, x, axis, [1, -1])],
    [div(left, mul(right, sum(left, right))), part(g, x, axis, [2, 0])],
  ]);
  const edge = (places: readonly [number, number, number], near: Val, far: Val): Val => {
    const [a, b, c] = places.map((place) => part(g, x, axis, at(place)));
    return combined(g, [
      [neg(div(sum(sum(near, near), far), mul(near, sum(near, far)))), a!],
      [div(sum(near, far), mul(near, far)), b!],
      [neg(div(near, mul(far, sum(near, far)))), c!],
    ]);
  };
  const plain = (front: number, back: number, width: Val): Val =>
    div(g.op("Sub", [part(g, x, axis, at(front)), part(g, x, axis, at(back))]), width);
  const [first, last] =
    order === 2
      ? [edge([0, 1, 2], step(at(0)), step(at(1))), neg(edge([-1, -2, -3], step(at(-1)), step(at(-2))))]
      : [plain(1, 0, step(at(0))), plain(-1, -2, step(at(-1)))];
  return g.op("Concat", [first, inner, last], { axis });
}

/** The spacing of each dimension: one number, one for each, coordinates for each, or 1. */
function spacings(node: OpNode, count: number): readonly Operand[] {
  const one: Operand = { kind: "int", value: 1 };
  if (node.target.includes(".tensorarray")) return node.tensors("spacing");
  if (/\.scalarray(int|array)$/.test(node.target)) {
    return node.items("spacing").map((item): Operand => {
      if (item.kind !== "int" && item.kind !== "float") return unsupported("a computed spacing");
      return { kind: item.kind, value: Number(item.value) };
    });
  }
  const spacing = node.has("spacing") ? node.scalar("spacing") : one;
  return Array.from({ length: count }, () => spacing);
}

/**
 * aten::gradient.scalarint(Tensor self, *, Scalar? spacing=None, int? dim=None, int edge_order=1) -> Tensor[]
 * aten::gradient.scalararray(Tensor self, *, Scalar spacing, int[] dim, int edge_order=1) -> Tensor[]
 * aten::gradient.array(Tensor self, *, int[] dim, int edge_order=1) -> Tensor[]
 * aten::gradient.scalarrayint(Tensor self, *, Scalar[] spacing, int? dim=None, int edge_order=1) -> Tensor[]
 * aten::gradient.scalarrayarray(Tensor self, *, Scalar[] spacing, int[] dim, int edge_order=1) -> Tensor[]
 * aten::gradient.tensorarrayint(Tensor self, *, Tensor[] spacing, int? dim=None, int edge_order=1) -> Tensor[]
 * aten::gradient.tensorarray(Tensor self, *, Tensor[] spacing, int[] dim, int edge_order=1) -> Tensor[]
 */
export const gradient: Lowering = (node, g) => {
  const x = node.tensor("self");
  const rank = x.dims.length;
  const dims = node.has("dim")
    ? node.ints("dim").map((dim) => normalizeAxis(dim, rank))
    : x.dims.map((_, axis) => axis);
  const apart = spacings(node, dims.length);
  for (const spacing of apart) if (isTensor(spacing)) rejectBytes([spacing]);
  if (x.dtype === "bool") return unsupported("PyTorch takes no differences of booleans");
  return dims.map((axis, i) => {
    const line = { x, axis, dtype: node.out(i).dtype, order: node.int("edge_order") };
    const spacing = apart[i]!;
    return isTensor(spacing) ? unevenly(g, line, spacing) : evenly(g, line, spacing);
  });
};

export const GRADIENT: LoweringTable = all("gradient", gradient, [
  "scalarint",
  "scalararray",
  "array",
  "scalarrayint",
  "scalarrayarray",
  "tensorarrayint",
  "tensorarray",
]);

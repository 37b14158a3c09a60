import { greatest } from "../../graph/bounds.ts";
import { type Dim, mul, sub, sym } from "../../graph/sym.ts";
import type { Emitter } from "../core/emitter.ts";
import type { Lowering, LoweringTable } from "../core/lowering.ts";
import { normalizeAxis, type Val } from "../core/tensor.ts";
import { slice } from "./slicing.ts";

/** aten::fliplr(Tensor self) -> Tensor, aten::flipud(Tensor self) -> Tensor */
function flipAxis(axis: number): Lowering {
  return (node, g) =>
    g.op("Slice", [
      node.tensor("self"),
      g.ints([-1]),
      g.ints([Number.MIN_SAFE_INTEGER]),
      g.ints([axis]),
      g.ints([-1]),
    ]);
}

/** aten::flip(Tensor self, int[] dims) -> Tensor */
export const flip: Lowering = (node, g) => {
  const self = node.tensor("self");
  const axes = node.ints("dims").map((dim) => normalizeAxis(dim, self.dims.length));
  if (axes.length === 0 || self.dims.length === 0) return self;
  const all = (value: number): Val => g.ints(axes.map(() => value));
  return g.op("Slice", [self, all(-1), all(Number.MIN_SAFE_INTEGER), g.ints(axes), all(-1)]);
};

/** aten::roll(Tensor self, SymInt[1] shifts, int[1] dims=[]) -> Tensor */
export const roll: Lowering = (node, g) => {
  const self = node.tensor("self");
  const shifts = node.sizes("shifts");
  const dims = node.ints("dims");
  if (self.dims.length === 0) return self;
  if (dims.length === 0) {
    const flat = g.reshape(self, [self.dims.reduce<Dim>(mul, 1)]);
    return g.reshape(
      rollAxis(g, flat, { axis: 0, size: self.dims.reduce<Dim>(mul, 1), shift: shifts[0]! }),
      self.dims,
    );
  }
  return dims.reduce<Val>((x, dim, i) => {
    const axis = normalizeAxis(dim, self.dims.length);
    return rollAxis(g, x, { axis, size: self.dims[axis]!, shift: shifts[i]! });
  }, self);
};

function rollAxis(g: Emitter, x: Val, { axis, size, shift }: { axis: number; size: Dim; shift: Dim }): Val {
  if (size === 0) return x;
  const cut = sub(size, sym("mod", shift, greatest(size, 1)));
  const end = Number.MAX_SAFE_INTEGER;
  return g.op("Concat", [slice(g, x, { axis, start: cut, end }), slice(g, x, { axis, start: 0, end: cut })], {
    axis,
  });
}

/** aten::rot90(Tensor self, int k=1, int[] dims=[0, 1]) -> Tensor */
export const rot90: Lowering = (node, g) => {
  const self = node.tensor("self");
  const rank = self.dims.length;
  const turns = ((node.int("k") % 4) + 4) % 4;
  const [a, b] = node.ints("dims").map((dim) => normalizeAxis(dim, rank)) as [number, number];
  const flip = (x: Val, axes: readonly number[]): Val => {
    const all = (value: number): Val => g.ints(axes.map(() => value));
    return g.op("Slice", [x, all(-1), all(Number.MIN_SAFE_INTEGER), g.ints(axes), all(-1)]);
  };
  if (turns === 0) return self;
  if (turns === 2) return flip(self, [a, b]);
  const swap = self.dims.map((_, axis) => (axis === a ? b : axis === b ? a : axis));
  return turns === 1 ? g.transpose(flip(self, [b]), swap) : flip(g.transpose(self, swap), [b]);
};

export const FLIPPING: LoweringTable = {
  "aten.fliplr.default": flipAxis(1),
  "aten.flipud.default": flipAxis(0),
  "aten.flip.default": flip,
  "aten.roll.default": roll,
  "aten.rot90.default": rot90,
};

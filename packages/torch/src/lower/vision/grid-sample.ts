import type { Dim } from "../../graph/sym.ts";
import { arange } from "../core/arange.ts";
import type { Emitter } from "../core/emitter.ts";
import type { Lowering, LoweringTable } from "../core/lowering.ts";
import type { Tensor, Val } from "../core/tensor.ts";
import { unsupported } from "../core/unsupported.ts";

const GRID_MODES = ["linear", "nearest", "cubic"] as const;
const GRID_PADDINGS = ["zeros", "border", "reflection"] as const;

/**
 * aten::grid_sampler(Tensor input, Tensor grid, int interpolation_mode, int padding_mode, bool align_corners) -> Tensor
 * aten::grid_sampler_2d(Tensor input, Tensor grid, int interpolation_mode, int padding_mode, bool align_corners) -> Tensor
 * aten::grid_sampler_3d(Tensor input, Tensor grid, int interpolation_mode, int padding_mode, bool align_corners) -> Tensor
 */
export const gridSample: Lowering = (node, g) => {
  const mode =
    GRID_MODES[node.int("interpolation_mode")] ?? unsupported("its interpolation mode is not known");
  const padding_mode =
    GRID_PADDINGS[node.int("padding_mode")] ?? unsupported("its padding mode is not known");
  const isAligned = node.bool("align_corners");
  const [input, grid] = [node.tensor("input"), node.tensor("grid")];
  const how: Sampling = { mode, padding: padding_mode, isAligned };
  const sampled = g.op("GridSample", [input, safeGrid(g, input, grid, how)], {
    mode,
    // What is reflected already lies inside.
    padding_mode: padding_mode === "reflection" && mode !== "cubic" ? "border" : padding_mode,
    align_corners: Number(isAligned),
  });
  const keepsNan = mode === "cubic" || (mode === "linear" && padding_mode === "zeros");
  return keepsNan ? withNan(g, sampled, grid) : sampled;
};

interface Sampling {
  readonly mode: (typeof GRID_MODES)[number];
  readonly padding: (typeof GRID_PADDINGS)[number];
  readonly isAligned: boolean;
}

/** Beyond this all places are outside of any image, and its kernel can still count their pixels. */
const FAR = 1000;

/**
 * A grid for which ONNX Runtime's kernel gives PyTorch's answer: it loses count beyond 2^24 pixels, rounds to the nearest pixel before it
 * reflects, and takes NaN for a place.
 */
function safeGrid(g: Emitter, input: Tensor, grid: Tensor, how: Sampling): Val {
  if (how.padding === "reflection") return reflected(g, input, grid, how);
  const number = (value: number): Val => g.scalar(grid.dtype, value);
  const near = g.op("Min", [g.op("Max", [grid, number(-FAR)]), number(FAR)]);
  return g.where(g.op("IsNaN", [grid]), number(how.padding === "zeros" ? FAR : -FAR), near);
}

/** NaN where a place is not finite: its distance to the pixels is not a number. */
function withNan(g: Emitter, sampled: Val, grid: Tensor): Val {
  const last = grid.dims.length - 1;
  const isNan = g.cast(g.op("IsNaN", [g.op("Mul", [grid, g.scalar(grid.dtype, 0)])]), "int32");
  const any = g.op("ReduceMax", [isNan, g.ints([last])], { keepdims: 0 });
  return g.where(g.unsqueeze(any, [1]), g.scalar(sampled.dtype, Number.NaN), sampled);
}

/**
 * Places reflected into the image (at::native reflect_coordinates); for cubic sampling, which reflects each of its pixels, only brought
 * into one period. Nearest sampling rounds afterwards.
 */
function reflected(g: Emitter, input: Tensor, grid: Tensor, { mode, isAligned }: Sampling): Val {
  const { dtype } = grid;
  const number = (value: number): Val => g.scalar(dtype, value);
  const sizes = g.cast(g.shape(input.dims.slice(2).reverse()), dtype);
  const last = g.op("Sub", [sizes, number(1)]);
  const fromUnit = g.op("Add", [grid, number(1)]);
  const pixel = isAligned
    ? g.op("Mul", [fromUnit, g.op("Div", [last, number(2)])])
    : multiplyAdd(g, [fromUnit, g.op("Div", [sizes, number(2)])], number(-0.5));
  const inside = mode === "cubic" ? onePeriod(g, pixel, isAligned ? last : sizes) : foldPixel();
  return isAligned
    ? g.op("Sub", [
        g.op("Div", [g.op("Mul", [inside, number(2)]), g.op("Max", [last, number(1)])]),
        number(1),
      ])
    : g.op("Sub", [
        g.op("Div", [g.op("Add", [g.op("Mul", [inside, number(2)]), number(1)]), sizes]),
        number(1),
      ]);

  function foldPixel(): Val {
    const low = number(isAligned ? 0 : -0.5);
    const period = periodOf(g, isAligned ? last : sizes);
    const distance = g.op("Abs", [g.op("Sub", [pixel, low])]);
    const turns = g.op("Floor", [g.op("Div", [distance, period])]);
    const extra = multiplyAdd(g, [g.op("Neg", [turns]), period], distance);
    const folded = g.op("Add", [g.op("Min", [extra, g.op("Sub", [period, extra])]), low]);
    const clipped = g.op("Min", [g.op("Max", [folded, number(0)]), last]);
    return mode === "nearest" ? g.op("Round", [clipped]) : clipped;
  }
}

/** a · b + c, rounded once, as PyTorch's compiled code does: at far places the two differ by pixels. */
function multiplyAdd(g: Emitter, [a, b]: readonly [Val, Val], c: Val): Val {
  const wide = (val: Val): Val => g.cast(val, "float64");
  return g.cast(g.op("Add", [g.op("Mul", [wide(a), wide(b)]), wide(c)]), c.dtype);
}

function onePeriod(g: Emitter, pixel: Val, span: Val): Val {
  return g.op("Mod", [pixel, periodOf(g, span)], { fmod: 1 });
}

/** There and back again. An aligned image of one pixel has no span. */
function periodOf(g: Emitter, span: Val): Val {
  return g.op("Max", [g.op("Mul", [span, g.scalar(span.dtype, 2)]), g.scalar(span.dtype, 1)]);
}

/**
 * aten::affine_grid_generator(Tensor theta, SymInt[] size, bool align_corners) -> Tensor
 *
 * grid = theta · (x, y, 1), summed over thin axes so that no constant has the size of the grid.
 */
export const affineGrid: Lowering = (node, g) => {
  const theta = node.tensor("theta");
  const spatial = node.sizes("size").slice(2);
  const count = spatial.length;
  const aligned = node.bool("align_corners");
  const columns = g.ops("Split", [theta], {
    count: count + 1,
    attributes: { axis: 2, num_outputs: count + 1 },
  });
  const vectors = columns.map((column) =>
    g.reshape(column, [theta.dims[0]!, ...spatial.map(() => 1), count]),
  );
  const terms = spatial.map((size, i) => {
    const shape = [1, ...spatial.map((_, axis) => (axis === i ? size : 1)), 1];
    const along = g.reshape(placesAlong(g, size, { aligned, dtype: theta.dtype }), shape);
    return g.op("Mul", [along, vectors[count - 1 - i]!]);
  });
  return terms.reduce<Val>((sum, term) => g.op("Add", [sum, term]), vectors[count]!);
};

/** The places of pixels along one axis, in [-1, 1]. */
function placesAlong(
  g: Emitter,
  size: Dim,
  { aligned, dtype }: { readonly aligned: boolean; readonly dtype: Val["dtype"] },
): Val {
  if (typeof size === "number") return g.constant(dtype, coordinates(size, aligned), [size]);
  const number = (value: number): Val => g.scalar("float64", value);
  const count = g.cast(g.number(size, "int64"), "float64");
  const twice = g.op("Mul", [g.cast(arange(g, size), "float64"), number(2)]);
  const last = g.op("Sub", [count, number(1)]);
  const quotient = aligned
    ? g.op("Div", [twice, g.op("Max", [last, number(1)])])
    : g.op("Div", [g.op("Add", [twice, number(1)]), count]);
  const places = g.op("Sub", [quotient, number(1)]);
  return g.cast(g.where(g.op("Equal", [count, number(1)]), number(0), places), dtype);
}

/** Places of `count` pixels in [-1, 1]: their centres, or from border to border. One pixel lies in the middle. */
function coordinates(count: number, aligned: boolean): number[] {
  if (count === 1) return [0];
  return Array.from({ length: count }, (_, i) =>
    aligned ? (2 * i) / (count - 1) - 1 : (2 * i + 1) / count - 1,
  );
}

export const GRID_SAMPLE: LoweringTable = {
  "aten.grid_sampler.default": gridSample,
  "aten.grid_sampler_2d.default": gridSample,
  "aten.grid_sampler_3d.default": gridSample,
  "aten.affine_grid_generator.default": affineGrid,
};

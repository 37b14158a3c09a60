import { positions } from "../core/arange.ts";
import type { Emitter } from "../core/emitter.ts";
import type { Val } from "../core/tensor.ts";
import { type Antialias, antialiasWeights, resized, scaleOf, triangle } from "./antialias-axis.ts";
import { cubicWeights } from "./interpolate-axis.ts";

/** Bits of the widest weight: it has to fit into an int16. */
const WEIGHT_BITS = 15;
const MOST_FRACTION_BITS = 22;

/**
 * Resizes one of the two last axes of uint8 pixels, carried as float64, as PyTorch does (`separable_upsample_generic_Nd_kernel_impl`):
 * weights are rounded to int16 with as many fraction bits as the largest one leaves room for, and the sum is rounded to a pixel.
 */
export function resizePixels(g: Emitter, x: Val, resizing: Antialias & { isAntialiased: boolean }): Val {
  const number = (value: number): Val => g.scalar("float64", value);
  const exact = resizing.isAntialiased ? antialiasWeights(g, resizing, "float64") : plainWeights(g, resizing);
  const one = fixedPointOne(g, exact);
  const scaled = g.op("Mul", [exact, one]);
  const magnitude = g.op("Floor", [g.op("Add", [g.op("Abs", [scaled]), number(0.5)])]);
  const weights = g.op("Mul", [magnitude, g.op("Sign", [scaled])]);
  const sum = resized(g, x, { axis: resizing.resize.axis, weights });
  const rounded = g.op("Floor", [g.op("Add", [g.op("Div", [sum, one]), number(0.5)])]);
  return g.op("Min", [g.op("Max", [rounded, number(0)]), number(255)]);
}

/** 2 to the power of the fraction bits. */
function fixedPointOne(g: Emitter, weights: Val): Val {
  const powers = Array.from({ length: MOST_FRACTION_BITS }, (_, i) => 2 ** (i + 1));
  const steps = g.constant("float64", powers, [powers.length]);
  const largest = g.op("ReduceMax", [weights], { keepdims: 0 });
  const fits = g.op("Less", [g.op("Mul", [steps, largest]), g.scalar("float64", 2 ** WEIGHT_BITS - 0.5)]);
  return g.op("ReduceMax", [g.where(fits, steps, g.scalar("float64", 1)), g.ints([0])], { keepdims: 0 });
}

/** Weights without antialiasing, [to, from]: what falls outside counts for the element at the edge. */
function plainWeights(g: Emitter, { resize, kernel, aligned }: Antialias): Val {
  const { from, to } = resize;
  const number = (value: number): Val => g.scalar("float64", value);
  const scale = scaleOf(g, { resize, aligned, dtype: "float64" });
  const target = g.cast(positions(g, to), "float64");
  const source = g.unsqueeze(g.cast(positions(g, from), "float64"), [0]);
  const last = g.op("Sub", [g.number(from, "float64"), number(1)]);
  const inside = (x: Val): Val => g.op("Min", [g.op("Max", [x, number(0)]), last]);
  const centre = aligned
    ? g.op("Mul", [scale, target])
    : g.op("Sub", [g.op("Mul", [scale, g.op("Add", [target, number(0.5)])]), number(0.5)]);
  if (kernel === "linear")
    return triangle(g, g.op("Abs", [g.op("Sub", [source, g.unsqueeze(inside(centre), [1])])]));
  const floor = g.op("Min", [g.op("Floor", [centre]), last]);
  const fraction = g.op("Min", [g.op("Max", [g.op("Sub", [centre, floor]), number(0)]), number(1)]);
  return cubicWeights(g, fraction)
    .map((weight, i) => {
      const place = inside(g.op("Add", [floor, number(i - 1)]));
      return g.where(g.op("Equal", [source, g.unsqueeze(place, [1])]), g.unsqueeze(weight, [1]), number(0));
    })
    .reduce((sum, part) => g.op("Add", [sum, part]));
}

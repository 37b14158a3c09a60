import type { DType } from "../../dtype.ts";
import type { Dim } from "../../graph/sym.ts";
import { positions } from "../core/arange.ts";
import type { Emitter } from "../core/emitter.ts";
import { all, type Lowering, type LoweringTable } from "../core/lowering.ts";
import { isFloat, isTensor, type Operand, type Scalar, type Val } from "../core/tensor.ts";

/**
 * aten::arange.start_step(Scalar start, Scalar end, Scalar step=1, *, ...) -> Tensor
 * aten::arange(Scalar end, *, ...) -> Tensor
 * aten::arange.start(Scalar start, Scalar end, *, ...) -> Tensor
 */
export const arange: Lowering = (node, g) => {
  const { dtype, dims } = node.out();
  const start: Scalar = node.has("start") ? node.scalar("start") : { kind: "int", value: 0 };
  const step: Scalar = node.has("step") ? node.scalar("step") : { kind: "int", value: 1 };
  const count = g.op("Range", [g.scalar("int64", 0), g.number(dims[0]!, "int64"), g.scalar("int64", 1)]);
  const scaled =
    step.value === 1 ? g.cast(count, dtype) : g.op("Mul", [g.cast(count, dtype), g.as(step, dtype)]);
  return start.value === 0 ? scaled : g.op("Add", [scaled, g.as(start, dtype)]);
};

/**
 * aten::linspace(Scalar start, Scalar end, SymInt steps, *, ...) -> Tensor
 * aten::linspace.Scalar_Tensor(Scalar start, Tensor end, int steps, *, ...) -> Tensor
 * aten::linspace.Tensor_Scalar(Tensor start, Scalar end, int steps, *, ...) -> Tensor
 * aten::linspace.Tensor_Tensor(Tensor start, Tensor end, int steps, *, ...) -> Tensor
 *
 * Counts from both ends, as PyTorch does.
 */
export const linspace: Lowering = (node, g) => {
  const { dtype, dims } = node.out();
  const steps = dims[0]!;
  const bounds = ["start", "end"].map((name) => node.operand(name));
  const [start, end] = bounds.map((bound) => {
    const value = isTensor(bound) ? undefined : bound.value;
    return isFloat(dtype) || typeof value !== "number" ? value : Math.trunc(value);
  });
  if (typeof steps !== "number" || typeof start !== "number" || typeof end !== "number")
    return spacedEvenly(g, { bounds, steps, dtype });
  const width = steps > 1 ? (end - start) / (steps - 1) : 0;
  const values = Array.from({ length: steps }, (_, i) =>
    i < steps / 2 ? start + width * i : end - width * (steps - 1 - i),
  );
  return g.constant(dtype, values, [steps]);
};

/**
 * aten::logspace(Scalar start, Scalar end, int steps, float base=10., *, ...) -> Tensor
 * aten::logspace.Scalar_Tensor(Scalar start, Tensor end, int steps, float base=10., *, ...) -> Tensor
 * aten::logspace.Tensor_Scalar(Tensor start, Scalar end, int steps, float base=10., *, ...) -> Tensor
 * aten::logspace.Tensor_Tensor(Tensor start, Tensor end, int steps, float base=10., *, ...) -> Tensor
 *
 * Powers of the base, spaced evenly.
 */
export const logspace: Lowering = (node, g) => {
  const { dtype, dims } = node.out();
  const bounds = ["start", "end"].map((name) => node.operand(name));
  const exponents = spacedEvenly(g, { bounds, steps: dims[0]!, dtype: isFloat(dtype) ? "float64" : dtype });
  const powers = g.op("Pow", [g.scalar("float64", node.float("base")), g.cast(exponents, "float64")]);
  return g.cast(powers, dtype);
};

interface Progression {
  /** The first number and the last one. */
  readonly bounds: readonly Operand[];
  readonly steps: Dim;
  readonly dtype: DType;
}

/** The same for a number of steps, or bounds, that are known per request. */
function spacedEvenly(g: Emitter, { bounds, steps, dtype }: Progression): Val {
  const number = (value: number): Val => g.scalar("float64", value);
  // PyTorch cuts the bounds of an integer progression before it divides.
  const [start, end] = bounds.map((bound) =>
    g.cast(isFloat(dtype) ? g.as(bound, "float64") : g.cast(g.as(bound, "float64"), "int64"), "float64"),
  );
  const count = g.number(steps, "float64");
  const place = g.cast(positions(g, steps), "float64");
  const last = g.op("Sub", [count, number(1)]);
  const width = g.op("Div", [g.op("Sub", [end!, start!]), g.op("Max", [last, number(1)])]);
  const fromStart = g.op("Add", [start!, g.op("Mul", [width, place])]);
  const fromEnd = g.op("Sub", [end!, g.op("Mul", [width, g.op("Sub", [last, place])])]);
  const isFirstHalf = g.op("Less", [place, g.op("Div", [count, number(2)])]);
  return g.cast(g.where(isFirstHalf, fromStart, fromEnd), dtype);
}

/**
 * aten::eye.m(SymInt n, SymInt m, *, ...) -> Tensor
 * aten::eye(SymInt n, *, ...) -> Tensor
 */
export const eye: Lowering = (node, g) => {
  const { dtype, dims } = node.out();
  const [rows, columns] = [positions(g, dims[0]!), positions(g, dims[1]!)];
  return g.cast(g.op("Equal", [g.unsqueeze(rows, [1]), columns]), dtype);
};

export const RANGES: LoweringTable = {
  "aten.arange.default": arange,
  "aten.arange.start": arange,
  "aten.arange.start_step": arange,
  ...all("linspace", linspace, ["default", "Scalar_Tensor", "Tensor_Scalar", "Tensor_Tensor"]),
  ...all("logspace", logspace, ["default", "Scalar_Tensor", "Tensor_Scalar", "Tensor_Tensor"]),
  "aten.eye.default": eye,
  "aten.eye.m": eye,
};

import { positions } from "../core/arange.ts";
import type { Lowering, LoweringTable } from "../core/lowering.ts";
import { isFloat, type Scalar } from "../core/tensor.ts";
import { unsupported } from "../core/unsupported.ts";

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

/** aten::linspace(Scalar start, Scalar end, SymInt steps, *, ...) -> Tensor. Counts from both ends, as PyTorch does. */
export const linspace: Lowering = (node, g) => {
  const { dtype, dims } = node.out();
  const steps = dims[0]!;
  if (typeof steps !== "number") return unsupported("the number of steps is not constant");
  // PyTorch cuts the bounds of an integer progression before it divides.
  const bound = (name: string): number => (isFloat(dtype) ? node.float(name) : Math.trunc(node.float(name)));
  const [start, end] = [bound("start"), bound("end")];
  const width = steps > 1 ? (end - start) / (steps - 1) : 0;
  const values = Array.from({ length: steps }, (_, i) =>
    i < steps / 2 ? start + width * i : end - width * (steps - 1 - i),
  );
  return g.constant(dtype, values, [steps]);
};

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
  "aten.linspace.default": linspace,
  "aten.eye.default": eye,
  "aten.eye.m": eye,
};

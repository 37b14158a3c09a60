import type { Emitter } from "../core/emitter.ts";
import type { Lowering, LoweringTable } from "../core/lowering.ts";
import type { Val } from "../core/tensor.ts";
import { signBit } from "./float-math.ts";

/** aten::hypot(Tensor self, Tensor other) -> Tensor */
export const hypot: Lowering = (node, g) => {
  const { dtype } = node.out();
  return magnitude(g, g.as(node.operand("self"), dtype), g.as(node.operand("other"), dtype));
};

/** √(x² + y²), scaled by the larger one, so that squares do not overflow. */
export function magnitude(g: Emitter, x: Val, y: Val): Val {
  const { dtype } = x;
  const [a, b] = [g.op("Abs", [x]), g.op("Abs", [y])];
  const [high, low] = [g.op("Max", [a, b]), g.op("Min", [a, b])];
  const ratio = g.op("Div", [low, high]);
  const root = g.op("Sqrt", [g.op("Add", [g.op("Mul", [ratio, ratio]), g.scalar(dtype, 1)])]);
  const isPlain = g.op("Equal", [high, g.scalar(dtype, 0)]);
  const finite = g.where(isPlain, high, g.op("Mul", [high, root]));
  const isInfinite = g.op("Or", [g.op("IsInf", [a]), g.op("IsInf", [b])]);
  return g.where(isInfinite, g.scalar(dtype, Number.POSITIVE_INFINITY), finite);
}

/**
 * aten::atan2(Tensor self, Tensor other) -> Tensor
 * aten::arctan2(Tensor self, Tensor other) -> Tensor
 */
export const atan2: Lowering = (node, g) => {
  const { dtype } = node.out();
  return angleOf(g, g.as(node.operand("other"), dtype), g.as(node.operand("self"), dtype));
};

/** The angle of the point (x, y), signs of zeros included. */
export function angleOf(g: Emitter, x: Val, y: Val): Val {
  const { dtype } = x;
  const [height, width] = [g.op("Abs", [y]), g.op("Abs", [x])];
  const isDiagonal = g.op("And", [g.op("IsInf", [x]), g.op("IsInf", [y])]);
  const isOrigin = g.op("Equal", [g.op("Add", [height, width]), g.scalar(dtype, 0)]);
  const slope = g.where(isDiagonal, g.scalar(dtype, 1), g.op("Div", [height, width]));
  const acute = g.op("Atan", [g.where(isOrigin, g.scalar(dtype, 0), slope)]);
  const angle = g.where(signBit(g, x), g.op("Sub", [g.scalar(dtype, Math.PI), acute]), acute);
  return g.where(signBit(g, y), g.op("Neg", [angle]), angle);
}

/** aten::angle(Tensor self) -> Tensor of a real number: π where it is negative */
export const angle: Lowering = (node, g) => {
  const { dtype } = node.out();
  const self = g.cast(node.tensor("self"), dtype);
  const side = g.where(
    g.op("Less", [self, g.scalar(dtype, 0)]),
    g.scalar(dtype, Math.PI),
    g.scalar(dtype, 0),
  );
  return g.where(g.op("IsNaN", [self]), self, side);
};

export const TRIGONOMETRY: LoweringTable = {
  "aten.hypot.default": hypot,
  "aten.atan2.default": atan2,
  "aten.arctan2.default": atan2,
  "aten.angle.default": angle,
};

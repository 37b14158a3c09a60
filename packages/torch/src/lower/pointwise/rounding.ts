import type { Emitter } from "../core/emitter.ts";
import type { Lowering, LoweringTable } from "../core/lowering.ts";
import { isFloat, type Val } from "../core/tensor.ts";
import { unsupported } from "../core/unsupported.ts";
import { signBit } from "./float-math.ts";

export function truncate(g: Emitter, x: Val): Val {
  return g.op("Mul", [g.op("Sign", [x]), g.op("Floor", [g.op("Abs", [x])])]);
}

/** aten::trunc(Tensor self) -> Tensor */
export const trunc: Lowering = (node, g) => {
  const self = node.tensor("self");
  return isFloat(self.dtype) ? truncate(g, self) : self;
};

/**
 * aten::ceil(Tensor self) -> Tensor
 * aten::floor(Tensor self) -> Tensor
 * aten::round(Tensor self) -> Tensor
 *
 * Ops that leave integers as they are: floor, ceil, round.
 */
function rounding(type: string): Lowering {
  return (node, g) => {
    const self = node.tensor("self");
    return isFloat(self.dtype) ? g.op(type, [self]) : self;
  };
}

/** aten::frac(Tensor self) -> Tensor: what is behind the point, with self's sign */
export const frac: Lowering = (node, g) => {
  const self = node.tensor("self");
  if (!isFloat(self.dtype)) return g.op("Sub", [self, self]);
  const whole = g.op("Floor", [g.op("Abs", [self])]);
  return g.op("Sub", [self, g.where(signBit(g, self), g.op("Neg", [whole]), whole)]);
};

/** aten::round.decimals(Tensor self, *, int decimals) -> Tensor */
export const roundDecimals: Lowering = (node, g) => {
  const self = node.tensor("self");
  const decimals = node.int("decimals");
  if (!isFloat(self.dtype)) return decimals >= 0 ? self : unsupported("integers rounded to tens");
  if (decimals === 0) return g.op("Round", [self]);
  const power = g.scalar(self.dtype, 10 ** Math.abs(decimals));
  const [up, down] = decimals > 0 ? (["Mul", "Div"] as const) : (["Div", "Mul"] as const);
  return g.op(down, [g.op("Round", [g.op(up, [self, power])]), power]);
};

export const ROUNDING: LoweringTable = {
  "aten.floor.default": rounding("Floor"),
  "aten.ceil.default": rounding("Ceil"),
  "aten.round.default": rounding("Round"),
  "aten.trunc.default": trunc,
  "aten.frac.default": frac,
  "aten.round.decimals": roundDecimals,
};

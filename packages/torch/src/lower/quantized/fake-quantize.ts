import type { Emitter } from "../core/emitter.ts";
import type { Lowering, LoweringTable } from "../core/lowering.ts";
import type { OpNode } from "../core/op-node.ts";
import { isFloat, normalizeAxis, type Tensor, type Val } from "../core/tensor.ts";
import { along, clamped, inverseOf, oneNumber, rangeOf } from "./codes.ts";

interface FakeCoding {
  readonly scale: Val;
  readonly zero: Val;
  readonly order: "round, then add the zero" | "add the zero, then round";
}

/** The code of every number before it is held to the range, as floats. */
function wholeCodes(g: Emitter, x: Val, { scale, zero, order }: FakeCoding): Val {
  const divided = g.op("Mul", [x, inverseOf(g, scale)]);
  if (order === "add the zero, then round") return g.op("Round", [g.op("Add", [divided, zero])]);
  return g.op("Add", [g.op("Round", [divided]), zero]);
}

/** The numbers that the codes stand for, and which of them were within the range. */
function throughCodes(
  node: OpNode,
  g: Emitter,
  { codes, coding }: { codes: Val; coding: FakeCoding },
): Val[] {
  const range = rangeOf(node, g, codes.dtype);
  const held = clamped(g, codes, range);
  const result = g.op("Mul", [g.op("Sub", [held, coding.zero]), coding.scale]);
  if (!node.isUsed(1)) return [result];
  const isAbove = g.op("GreaterOrEqual", [codes, range.low]);
  return [result, g.op("And", [isAbove, g.op("LessOrEqual", [codes, range.high])])];
}

/**
 * aten::fake_quantize_per_tensor_affine(Tensor self, float scale, int zero_point, int quant_min, int quant_max) -> Tensor
 * aten::fake_quantize_per_tensor_affine.tensor_qparams(Tensor self, Tensor scale, Tensor zero_point, int quant_min, int quant_max) -> Tensor
 * aten::fake_quantize_per_tensor_affine_cachemask(Tensor self, float scale, int zero_point, int quant_min, int quant_max) -> (Tensor output, Tensor mask)
 * aten::_fake_quantize_per_tensor_affine_cachemask_tensor_qparams(Tensor self, Tensor scale, Tensor zero_point, Tensor fake_quant_enabled, int quant_min, int quant_max) -> (Tensor output, Tensor mask)
 *
 * What is not a number gets the lowest code.
 */
export const fakePerTensor: Lowering = (node, g) => {
  const self = node.tensor("self");
  const scale = g.cast(oneNumber(node, g, { name: "scale", dtype: "float32" }), self.dtype);
  const zero = oneNumber(node, g, { name: "zero_point", dtype: self.dtype });
  const coding: FakeCoding = { scale, zero, order: "round, then add the zero" };
  const whole = wholeCodes(g, self, coding);
  const { low } = rangeOf(node, g, self.dtype);
  const codes = g.where(g.op("IsNaN", [whole]), g.op("Sub", [low, g.scalar(self.dtype, 1)]), whole);
  const results = throughCodes(node, g, { codes, coding });
  return node.target.endsWith("tensor_qparams.default") ? whereEnabled(node, g, results) : results;
};

/** Numbers go through codes only where `fake_quant_enabled` is not 0. */
function whereEnabled(node: OpNode, g: Emitter, [result, mask]: readonly Val[]): Val[] {
  const isEnabled = oneNumber(node, g, { name: "fake_quant_enabled", dtype: "bool" });
  const chosen = g.where(isEnabled, result!, node.tensor("self"));
  if (mask === undefined) return [chosen];
  return [chosen, g.op("Or", [g.op("Not", [isEnabled]), mask])];
}

/**
 * aten::fake_quantize_per_channel_affine(Tensor self, Tensor scale, Tensor zero_point, int axis, int quant_min, int quant_max) -> Tensor
 * aten::fake_quantize_per_channel_affine_cachemask(Tensor self, Tensor scale, Tensor zero_point, int axis, int quant_min, int quant_max) -> (Tensor output, Tensor mask)
 *
 * What is not a number, and what int64 does not hold, gets the lowest code.
 */
export const fakePerChannel: Lowering = (node, g) => {
  const self = node.tensor("self");
  return perChannel(node, g, { zeros: node.tensor("zero_point"), self });
};

interface Channels {
  readonly self: Tensor;
  readonly zeros: Val;
}

function perChannel(node: OpNode, g: Emitter, { self, zeros }: Channels): Val[] {
  const { dtype } = self;
  const at = { rank: self.dims.length, axis: normalizeAxis(node.int("axis"), self.dims.length) };
  const scale = along(g, g.cast(node.tensor("scale"), dtype), at);
  const order = isFloat(zeros.dtype) ? "add the zero, then round" : "round, then add the zero";
  const coding: FakeCoding = { scale, zero: along(g, g.cast(zeros, dtype), at), order };
  const whole = wholeCodes(g, self, coding);
  const { low } = rangeOf(node, g, dtype);
  const isHeld = g.op("Less", [whole, g.scalar(dtype, 2 ** 63)]);
  const codes = g.where(isHeld, whole, g.op("Sub", [low, g.scalar(dtype, 1)]));
  return throughCodes(node, g, { codes, coding });
}

/** aten::_fake_quantize_learnable_per_tensor_affine(Tensor self, Tensor scale, Tensor zero_point, int quant_min, int quant_max, float grad_factor=1.) -> Tensor: its zero is a float, rounded into the range */
export const learnablePerTensor: Lowering = (node, g) => {
  const self = node.tensor("self");
  const { dtype } = self;
  const scale = g.cast(oneNumber(node, g, { name: "scale", dtype: "float32" }), dtype);
  const given = g.op("Round", [oneNumber(node, g, { name: "zero_point", dtype })]);
  const range = rangeOf(node, g, dtype);
  const zero = clamped(g, given, range);
  const coding: FakeCoding = { scale, zero, order: "round, then add the zero" };
  const whole = wholeCodes(g, self, coding);
  const codes = g.where(g.op("IsNaN", [whole]), range.low, whole);
  return throughCodes(node, g, { codes, coding })[0]!;
};

/** aten::_fake_quantize_learnable_per_channel_affine(Tensor self, Tensor scale, Tensor zero_point, int axis, int quant_min, int quant_max, float grad_factor=1.) -> Tensor: its zeros are floats, rounded into the range */
export const learnablePerChannel: Lowering = (node, g) => {
  const self = node.tensor("self");
  const rounded = g.op("Round", [g.cast(node.tensor("zero_point"), self.dtype)]);
  const zeros = g.cast(clamped(g, rounded, rangeOf(node, g, self.dtype)), "int32");
  return perChannel(node, g, { self, zeros })[0]!;
};

/** quantized_decomposed::fake_quant_per_channel(Tensor input, Tensor scales, Tensor zero_points, int axis, int quant_min, int quant_max) -> Tensor */
export const fakeQuantPerChannel: Lowering = (node, g) => {
  const input = node.tensor("input");
  const at = { rank: input.dims.length, axis: normalizeAxis(node.int("axis"), input.dims.length) };
  const scale = along(g, g.cast(node.tensor("scales"), "float32"), at);
  const zero = along(g, g.cast(g.cast(node.tensor("zero_points"), "int32"), "float32"), at);
  const coding: FakeCoding = { scale, zero, order: "round, then add the zero" };
  return throughCodes(node, g, { codes: wholeCodes(g, input, coding), coding })[0]!;
};

export const FAKE_QUANTIZE: LoweringTable = {
  "aten.fake_quantize_per_tensor_affine.default": fakePerTensor,
  "aten.fake_quantize_per_tensor_affine.tensor_qparams": fakePerTensor,
  "aten.fake_quantize_per_tensor_affine_cachemask.default": fakePerTensor,
  "aten._fake_quantize_per_tensor_affine_cachemask_tensor_qparams.default": fakePerTensor,
  "aten.fake_quantize_per_channel_affine.default": fakePerChannel,
  "aten.fake_quantize_per_channel_affine_cachemask.default": fakePerChannel,
  "aten._fake_quantize_learnable_per_tensor_affine.default": learnablePerTensor,
  "aten._fake_quantize_learnable_per_channel_affine.default": learnablePerChannel,
  "quantized_decomposed.fake_quant_per_channel.default": fakeQuantPerChannel,
};

import type { DType } from "../../dtype.ts";
import type { Emitter } from "../core/emitter.ts";
import type { Lowering, LoweringTable } from "../core/lowering.ts";
import type { Tensor, Val } from "../core/tensor.ts";
import { reduceExtreme } from "../reduction/extremes.ts";
import { clamped, holds } from "./codes.ts";

interface Extremes {
  /** At most 0, and at least 0. */
  readonly low: Val;
  readonly high: Val;
}

/** The smallest and the largest number, 0 among them. */
export function extremes(g: Emitter, x: Tensor, axes: readonly number[], keepdims: 0 | 1 = 1): Extremes {
  const zero = g.scalar(x.dtype, 0);
  const found = (type: "ReduceMin" | "ReduceMax"): Val => reduceExtreme(g, type, x, { axes, keepdims });
  return { low: g.op("Min", [found("ReduceMin"), zero]), high: g.op("Max", [found("ReduceMax"), zero]) };
}

/** Zeros as codes of a dtype where it holds all that they can be, so that whoever quantizes with them sees it; int64 otherwise. */
function asZeros(
  g: Emitter,
  zero: Val,
  { dtype, range }: { dtype: DType; range: readonly [number, number] },
): Val {
  return g.cast(g.cast(zero, "int64"), holds(dtype, range) ? dtype : "int64");
}

function all(x: Tensor): number[] {
  return x.dims.map((_, axis) => axis);
}

const NUMBER_DTYPES: readonly DType[] = ["int8", "uint8", "int16", "uint16", "int32"];

/** The dtype argument that says what the codes will be. */
function codesDtype(given: DType | undefined): DType {
  return given !== undefined && NUMBER_DTYPES.includes(given) ? given : "int64";
}

/** quantized_decomposed::choose_qparams.tensor(Tensor input, int quant_min, int quant_max, float eps, ScalarType dtype) -> (Tensor, Tensor) */
export const chooseQparams: Lowering = (node, g) => {
  const input = node.tensor("input");
  const range = [node.int("quant_min"), node.int("quant_max")] as const;
  const [least, most] = range.map((bound) => g.scalar("int64", bound));
  const { low, high } = extremes(g, input, all(input));
  const width = g.scalar("float32", range[1] - range[0]);
  const wide = g.op("Div", [g.op("Sub", [high, low]), width]);
  const scale = g.op("Max", [wide, g.scalar("float32", node.float("eps"))]);
  const rounded = g.cast(g.cast(g.op("Round", [g.op("Div", [low, scale])]), "int32"), "int64");
  const held = clamped(g, g.op("Sub", [least!, rounded]), { low: least!, high: most! });
  const dtype = codesDtype(node.optionalDtype("dtype"));
  return [g.reshape(scale, [1]), g.reshape(asZeros(g, held, { dtype, range }), [1])];
};

/** quantized_decomposed::choose_qparams_symmetric.tensor(Tensor input, int quant_min, int quant_max, float eps, ScalarType dtype) -> (Tensor, Tensor) */
export const chooseSymmetric: Lowering = (node, g) => {
  const input = node.tensor("input");
  const half = (node.int("quant_max") - node.int("quant_min")) / 2;
  const { low, high } = extremes(g, input, all(input));
  const largest = g.op("Max", [g.op("Neg", [low]), high]);
  const scale = g.op("Max", [
    g.op("Div", [largest, g.scalar("float32", half)]),
    g.scalar("float32", node.float("eps")),
  ]);
  const dtype = codesDtype(node.optionalDtype("dtype"));
  const zero = dtype === "uint8" ? 128 : 0;
  return [g.reshape(scale, [1]), g.constant(dtype, [zero], [1])];
};

/** quantized_decomposed::choose_qparams_per_token(Tensor input, ScalarType dtype) -> (Tensor, Tensor) */
export const choosePerToken: Lowering = (node, g) => {
  const input = node.tensor("input");
  const { dims } = node.out();
  const last = input.dims.length - 1;
  const magnitude = { ...input, ...g.op("Abs", [input]) };
  const largest = reduceExtreme(g, "ReduceMax", magnitude, { axes: [last], keepdims: 1 });
  const held = g.op("Max", [largest, g.scalar("float32", 1e-5)]);
  return [g.op("Div", [held, g.scalar("float32", 127)]), g.expand(g.scalar("int8", 0), dims)];
};

/**
 * quantized_decomposed::choose_qparams_per_token_asymmetric(Tensor input, ScalarType dtype) -> (Tensor, Tensor)
 * quantized_decomposed::_choose_qparams_per_token_asymmetric_impl(Tensor input, ScalarType dtype) -> (Tensor, Tensor)
 */
export const chooseAsymmetric: Lowering = (node, g) => {
  const input = node.tensor("input");
  const { low, high } = extremes(g, input, [input.dims.length - 1]);
  const [least, most] = [g.scalar("float32", -128), g.scalar("float32", 127)];
  const wide = g.op("Div", [g.op("Sub", [high, low]), g.scalar("float32", 255)]);
  const scale = g.op("Max", [wide, g.scalar("float32", 2 ** -23)]);
  const [down, up] = [g.op("Div", [low, scale]), g.op("Div", [high, scale])];
  const error = g.op("Add", [g.op("Add", [least, down]), g.op("Add", [most, up])]);
  const zero = g.where(
    g.op("Greater", [error, g.scalar("float32", 0)]),
    g.op("Sub", [least, down]),
    g.op("Sub", [most, up]),
  );
  const held = g.op("Round", [clamped(g, zero, { low: least, high: most })]);
  return [scale, asZeros(g, held, { dtype: "int8", range: [-128, 127] })];
};

export const CHOOSE_QPARAMS: LoweringTable = {
  "quantized_decomposed.choose_qparams.tensor": chooseQparams,
  "quantized_decomposed.choose_qparams_symmetric.tensor": chooseSymmetric,
  "quantized_decomposed.choose_qparams_per_token.default": choosePerToken,
  "quantized_decomposed.choose_qparams_per_token_asymmetric.default": chooseAsymmetric,
  "quantized_decomposed._choose_qparams_per_token_asymmetric_impl.default": chooseAsymmetric,
};

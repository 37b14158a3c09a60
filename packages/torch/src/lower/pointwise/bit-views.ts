import type { DType } from "../../dtype.ts";
import { type Dim, sym } from "../../graph/sym.ts";
import type { Emitter } from "../core/emitter.ts";
import type { Lowering, LoweringTable } from "../core/lowering.ts";
import { isFloat, type Tensor, type Val } from "../core/tensor.ts";
import { unsupported } from "../core/unsupported.ts";
import { floatBits, floatOf, masked, shifted, uint64, withoutNan } from "./float-bits.ts";

const BYTES: Partial<Record<DType, number>> = {
  bool: 1,
  int8: 1,
  uint8: 1,
  int16: 2,
  uint16: 2,
  float16: 2,
  bfloat16: 2,
  int32: 4,
  uint32: 4,
  float32: 4,
  int64: 8,
  uint64: 8,
  float64: 8,
};

function bytesOf(dtype: DType): number {
  return BYTES[dtype] ?? unsupported(`the bits of ${dtype}`);
}

/**
 * aten::view.dtype(Tensor(a) self, ScalarType dtype) -> Tensor(a)
 *
 * The same bits read as another type. ONNX Runtime has no such op, so they are calculated, in uint64. NaN has many forms, and a value does
 * not tell which one it is: a run that reads the bits of one fails.
 */
export const viewAsType: Lowering = (node, g) => {
  const self = node.tensor("self");
  const { declared: to, dims, dtype } = node.out();
  if (to === self.declared) return self;
  const [from, size] = [bytesOf(self.declared), bytesOf(to)];
  const bits = isFloat(self.declared)
    ? floatBits(g, { ...self, ...withoutNan(g, self) })
    : integerBits(g, self, from);
  const placed =
    size < from ? divided(g, bits, { from, size, dims }) : joined(g, { ...self, ...bits }, { from, size });
  return isFloat(to) ? floatOf(g, placed, { declared: to, dtype }) : g.cast(placed, to);
};

function integerBits(g: Emitter, self: Tensor, bytes: number): Val {
  return masked(g, g.cast(self, "uint64"), 8 * bytes);
}

interface Sizes {
  readonly from: number;
  readonly size: number;
}

/** Each number as several smaller ones, the lowest bits first. */
function divided(
  g: Emitter,
  bits: Val,
  { from, size, dims }: Sizes & { readonly dims: readonly Dim[] },
): Val {
  const count = from / size;
  const places = g.constant(
    "uint64",
    Array.from({ length: count }, (_, i) => 8 * size * i),
    [count],
  );
  const parts = shifted(g, g.unsqueeze(bits, [-1]), { by: places, direction: "RIGHT" });
  return g.reshape(masked(g, parts, 8 * size), dims);
}

/** Several numbers as one larger one. */
function joined(g: Emitter, bits: Tensor, { from, size }: Sizes): Val {
  if (from === size) return bits;
  const count = size / from;
  const last = bits.dims.at(-1) ?? unsupported("a tensor without dimensions");
  const apart = g.reshape(bits, [...bits.dims.slice(0, -1), sym("floordiv", last, count), count]);
  const parts = g.ops("Split", [apart], { count, attributes: { axis: -1, num_outputs: count } });
  const whole = parts
    .map((part, i) => shifted(g, part, { by: uint64(g, 8 * from * i), direction: "LEFT" }))
    .reduce((a, b) => g.op("BitwiseOr", [a, b]));
  return g.squeeze(whole, [-1]);
}

export const BIT_VIEWS: LoweringTable = {
  "aten.view.dtype": viewAsType,
};

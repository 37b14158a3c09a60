import type { DType } from "../../dtype.ts";
import type { Emitter } from "../core/emitter.ts";
import { all, type Lowering, type LoweringTable } from "../core/lowering.ts";
import type { OpNode } from "../core/op-node.ts";
import type { Tensor, Val } from "../core/tensor.ts";

/**
 * aten::positive(Tensor(a) self) -> Tensor(a)
 * aten::_conj(Tensor(a) self) -> Tensor(a)
 * aten::_conj_physical(Tensor self) -> Tensor
 * aten::conj_physical(Tensor self) -> Tensor
 * aten::real(Tensor(a) self) -> Tensor(a)
 * aten::resolve_conj(Tensor(a) self) -> Tensor(a)
 * aten::resolve_neg(Tensor(a) self) -> Tensor(a)
 *
 * Real tensors stay as they are.
 */
export const real: Lowering = (node, g) => {
  node.out();
  return identity(node, g);
};

/**
 * aten::clone(Tensor self, *, MemoryFormat? memory_format=None) -> Tensor
 * aten::alias(Tensor(a) self) -> Tensor(a)
 * aten::alias_copy(Tensor self) -> Tensor
 * aten::contiguous(Tensor(a) self, *, MemoryFormat memory_format=0) -> Tensor(a)
 * aten::detach(Tensor(a) self) -> Tensor(a)
 * aten::lift_fresh_copy(Tensor self) -> Tensor
 *
 * ONNX values are dense and immutable.
 */
export const identity: Lowering = (node) => node.tensor("self");

/**
 * aten::to.dtype(Tensor(a) self, ScalarType dtype, ...) -> Tensor(a)
 * aten::_to_copy(Tensor self, *, ..., bool non_blocking=False, MemoryFormat? memory_format=None) -> Tensor
 * aten::to.device(Tensor(a) self, Device device, ScalarType dtype, bool non_blocking=False, bool copy=False, MemoryFormat? memory_format=None) -> Tensor(a)
 * aten::to.dtype_layout(Tensor(a) self, *, ..., bool non_blocking=False, bool copy=False, MemoryFormat? memory_format=None) -> Tensor(a)
 * aten::to.other(Tensor(a) self, Tensor other, bool non_blocking=False, bool copy=False, MemoryFormat? memory_format=None) -> Tensor(a)
 * aten::type_as(Tensor self, Tensor other) -> Tensor
 *
 * Half precision is carried as float32; where the program casts
 * into or out of it, values are rounded to what it can hold.
 */
export const to: Lowering = (node, g) => converted(node, g, node.tensor("self"));

/** quantized_decomposed::convert_element_type.no_fuse(Tensor input, ScalarType dtype) -> Tensor */
export const convertElementType: Lowering = (node, g) => converted(node, g, node.tensor("input"));

function converted(node: OpNode, g: Emitter, self: Tensor): Val {
  const { declared } = node.out();
  if (declared === self.declared) return self;
  return roundTo(g, roundTo(g, self, self.declared), declared);
}

/** A value that is carried as float32, rounded where the program has it in half precision. */
export function roundTo(g: Emitter, x: Val, declared: DType): Val {
  const isHalf = declared === "float16" || declared === "bfloat16";
  return isHalf ? g.cast(g.cast(x, declared), "float32") : x;
}

export const CONVERSION: LoweringTable = {
  "aten.alias_copy.default": identity,
  ...Object.fromEntries(
    [
      "positive",
      "real",
      "_conj",
      "conj",
      "conj_physical",
      "_conj_physical",
      "resolve_conj",
      "resolve_neg",
    ].map((op) => [`aten.${op}.default`, real]),
  ),
  "aten.alias.default": identity,
  "aten.clone.default": identity,
  "aten.contiguous.default": identity,
  "aten.detach.default": identity,
  "aten.lift_fresh_copy.default": identity,
  "aten._to_copy.default": to,
  "quantized_decomposed.convert_element_type.no_fuse": convertElementType,
  "aten.type_as.default": to,
  ...all("to", to, ["dtype", "device", "dtype_layout", "other"]),
};

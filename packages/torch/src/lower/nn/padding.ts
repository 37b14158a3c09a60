import { add, type Dim, mul } from "../../graph/sym.ts";
import type { Emitter } from "../core/emitter.ts";
import type { Lowering, LoweringTable } from "../core/lowering.ts";
import type { OpNode } from "../core/op-node.ts";
import { type AxisPad, type PadOptions, padded } from "../core/padded.ts";
import type { Tensor, Val } from "../core/tensor.ts";
import { unsupported } from "../core/unsupported.ts";
import { slice } from "../shape/slicing.ts";

/** PyTorch lists pairs from the last axis to the first. */
function axisPads(pads: readonly Dim[], rank: number): AxisPad[] {
  return Array.from({ length: pads.length / 2 }, (_, i) => ({
    axis: rank - 1 - i,
    before: pads[2 * i]!,
    after: pads[2 * i + 1]!,
  })).filter(({ before, after }) => before !== 0 || after !== 0);
}

const positive = (pad: Dim): Dim => (typeof pad === "number" ? Math.max(pad, 0) : pad);
const cutOff = (pad: Dim): number => (typeof pad === "number" ? Math.max(-pad, 0) : 0);

/** Cuts off what negative pads ask for. `end` counts from the end, so that added elements do not matter. */
function crop(g: Emitter, x: Val, pads: readonly AxisPad[]): Val {
  return pads.reduce((val, { axis, before, after }) => {
    const [start, end] = [cutOff(before), cutOff(after)];
    if (start === 0 && end === 0) return val;
    return slice(g, val, { axis, start, end: end === 0 ? Number.MAX_SAFE_INTEGER : -end });
  }, x);
}

function onnxPad(g: Emitter, x: Val, { pads, ...rest }: PadOptions): Val {
  const growing = pads.filter(({ before, after }) => positive(before) !== 0 || positive(after) !== 0);
  if (growing.length === 0) return x;
  const grown = growing.map(({ axis, before, after }) => ({
    axis,
    before: positive(before),
    after: positive(after),
  }));
  return padded(g, x, { ...rest, pads: grown });
}

function padConstant(g: Emitter, self: Tensor, pads: readonly AxisPad[], value: Val): Val {
  return onnxPad(g, crop(g, self, pads), { rank: self.dims.length, pads, value });
}

/** Mirrors or repeats the edges of the whole tensor, then cuts: what is cut off still shows in its mirror image. */
function padEdges(g: Emitter, self: Tensor, pads: readonly AxisPad[], mode: "reflect" | "edge"): Val {
  return crop(g, onnxPad(g, self, { rank: self.dims.length, pads, mode }), pads);
}

/** Continues with the elements of the other end; what is cut off does not come back. */
function padCircular(g: Emitter, self: Tensor, pads: readonly AxisPad[]): Val {
  return pads.reduce<Val>((val, pad) => {
    const { axis, before, after } = pad;
    const [front, back] = [positive(before), positive(after)];
    const size = add(self.dims[axis]!, -cutOff(before) - cutOff(after));
    const cropped = crop(g, val, [pad]);
    const parts = [cropped];
    if (front !== 0) {
      const start =
        typeof size === "number" && typeof front === "number" ? size - front : add(size, mul(front, -1));
      parts.unshift(slice(g, cropped, { axis, start, end: size }));
    }
    if (back !== 0) parts.push(slice(g, cropped, { axis, start: 0, end: back }));
    return parts.length === 1 ? cropped : g.op("Concat", parts, { axis });
  }, self);
}

function padsOf(node: OpNode, name: string): AxisPad[] {
  return axisPads(node.sizes(name), node.tensor("self").dims.length);
}

/** aten::pad(Tensor self, SymInt[] pad, str mode="constant", float? value=None) -> Tensor */
export const pad: Lowering = (node, g) => {
  const self = node.tensor("self");
  const pads = padsOf(node, "pad");
  const mode = node.string("mode");
  switch (mode) {
    case "constant": {
      const value = node.has("value") ? g.as(node.scalar("value"), self.dtype) : g.scalar(self.dtype, 0);
      return padConstant(g, self, pads, value);
    }
    case "reflect":
      return padEdges(g, self, pads, "reflect");
    case "replicate":
      return padEdges(g, self, pads, "edge");
    case "circular":
      return padCircular(g, self, pads);
    default:
      return unsupported(`its padding mode '${mode}' is not known`);
  }
};

/** aten::constant_pad_nd(Tensor self, SymInt[] pad, Scalar value=0) -> Tensor */
export const constantPad: Lowering = (node, g) => {
  const self = node.tensor("self");
  return padConstant(g, self, padsOf(node, "pad"), g.as(node.scalar("value"), self.dtype));
};

/**
 * aten::reflection_pad2d(Tensor self, SymInt[4] padding) -> Tensor
 * aten::reflection_pad1d(Tensor self, SymInt[2] padding) -> Tensor
 * aten::reflection_pad3d(Tensor self, SymInt[6] padding) -> Tensor
 */
export const reflectionPad: Lowering = (node, g) =>
  padEdges(g, node.tensor("self"), padsOf(node, "padding"), "reflect");

/**
 * aten::replication_pad2d(Tensor self, SymInt[4] padding) -> Tensor
 * aten::replication_pad1d(Tensor self, SymInt[2] padding) -> Tensor
 * aten::replication_pad3d(Tensor self, SymInt[6] padding) -> Tensor
 */
export const replicationPad: Lowering = (node, g) =>
  padEdges(g, node.tensor("self"), padsOf(node, "padding"), "edge");

/** aten::_pad_circular(Tensor self, SymInt[] pad) -> Tensor */
export const circularPad: Lowering = (node, g) => padCircular(g, node.tensor("self"), padsOf(node, "pad"));

export const PADDING: LoweringTable = {
  "aten.pad.default": pad,
  "aten.constant_pad_nd.default": constantPad,
  "aten.reflection_pad1d.default": reflectionPad,
  "aten.reflection_pad2d.default": reflectionPad,
  "aten.reflection_pad3d.default": reflectionPad,
  "aten.replication_pad1d.default": replicationPad,
  "aten.replication_pad2d.default": replicationPad,
  "aten.replication_pad3d.default": replicationPad,
  "aten._pad_circular.default": circularPad,
};

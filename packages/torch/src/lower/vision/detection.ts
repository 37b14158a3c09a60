import type { Dim } from "../../graph/sym.ts";
import type { Lowering, LoweringTable } from "../core/lowering.ts";
import { unsupported } from "../core/unsupported.ts";

/** torchvision::nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor: boxes that stay, best first */
export const nms: Lowering = (node, g) => {
  const [boxes, scores] = [node.tensor("dets"), node.tensor("scores")];
  const selected = g.op("NonMaxSuppression", [
    g.unsqueeze(g.cast(boxes, "float32"), [0]),
    g.unsqueeze(g.cast(scores, "float32"), [0, 1]),
    g.op("Reshape", [g.number(boxes.dims[0]!, "int64"), g.ints([1])]),
    g.constant("float32", [node.float("iou_threshold")], [1]),
  ]);
  return g.op("Gather", [selected, g.scalar("int64", 2)], { axis: 1 });
};

/**
 * torchvision::deform_conv2d(Tensor input, Tensor weight, Tensor offset, Tensor mask, Tensor bias, SymInt stride_h, SymInt stride_w, SymInt
 * pad_h, SymInt pad_w, SymInt dilation_h, SymInt dilation_w, SymInt groups, SymInt offset_groups, bool use_mask) -> Tensor
 */
export const deformableConv: Lowering = (node, g) => {
  const weight = node.tensor("weight");
  const along = (name: string): number[] => [node.int(`${name}_h`), node.int(`${name}_w`)];
  const pads = along("pad");
  const inputs = [
    node.tensor("input"),
    weight,
    node.tensor("offset"),
    node.tensor("bias"),
    node.bool("use_mask") ? node.tensor("mask") : undefined,
  ];
  return g.op("DeformConv", inputs, {
    kernel_shape: weight.dims.slice(2).map(constantSize),
    strides: along("stride"),
    pads: [...pads, ...pads],
    dilations: along("dilation"),
    group: node.int("groups"),
    offset_group: node.int("offset_groups"),
  });
};

function constantSize(dim: Dim): number {
  return typeof dim === "number" ? dim : unsupported("the kernel's size is not constant");
}

export const DETECTION: LoweringTable = {
  "torchvision.nms.default": nms,
  "torchvision.deform_conv2d.default": deformableConv,
};

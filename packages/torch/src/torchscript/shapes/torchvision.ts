import { numeric, quotient, windowCount } from "./dims.ts";
import { type ShapeFn, type ShapeTable, tensorType } from "./shape-args.ts";

/** Boxes that stay. */
const nms: ShapeFn = (args) => tensorType("int64", [args.dataSize()]);

/** A grid of bins for each box; `channels` are what is left of the input's in each. */
const pooled =
  (results: 1 | 2, isPositionSensitive = false): ShapeFn =>
  (args) => {
    const { dtype, dims } = args.tensor("input");
    const bins = [args.int("pooled_height"), args.int("pooled_width")] as const;
    const channels = isPositionSensitive ? quotient(dims[1]!, bins[0] * bins[1]) : dims[1]!;
    const type = tensorType(dtype, [args.tensor("rois").dims[0]!, channels, ...bins]);
    return results === 1 ? type : [type, tensorType("int32", type.dims)];
  };

const deformableConv: ShapeFn = (args) => {
  const { dtype, dims } = args.tensor("input");
  const weight = args.tensor("weight").dims.map(numeric);
  const places = (["h", "w"] as const).map((side, i) =>
    windowCount(dims[2 + i]!, {
      kernel: weight[2 + i]!,
      stride: args.int(`stride_${side}`),
      padding: 2 * args.int(`pad_${side}`),
      dilation: args.int(`dilation_${side}`),
    }),
  );
  return tensorType(dtype, [dims[0]!, weight[0]!, ...places]);
};

/** torchvision's own ops. */
export const TORCHVISION: ShapeTable = {
  nms,
  roi_align: pooled(1),
  roi_pool: pooled(2),
  ps_roi_align: pooled(2, true),
  deform_conv2d: deformableConv,
};

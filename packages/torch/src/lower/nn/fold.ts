import { add, type Dim, mul, sym } from "../../graph/sym.ts";
import { needLabel } from "../../onnx/input-fault.ts";
import { positions } from "../core/arange.ts";
import type { Emitter } from "../core/emitter.ts";
import type { Lowering, LoweringTable } from "../core/lowering.ts";
import type { OpNode } from "../core/op-node.ts";
import { padded } from "../core/padded.ts";
import type { Val } from "../core/tensor.ts";
import { batched, spread } from "./convolution.ts";

interface Window {
  readonly kernel: number;
  readonly dilation: number;
  readonly padding: number;
  readonly stride: number;
}

function windows(node: OpNode): [Window, Window] {
  const [kernels, dilations, paddings, strides] = ["kernel_size", "dilation", "padding", "stride"].map(
    (name) => spread(node.ints(name), 2),
  ) as [number[], number[], number[], number[]];
  const along = (i: number): Window => ({
    kernel: kernels[i]!,
    dilation: dilations[i]!,
    padding: paddings[i]!,
    stride: strides[i]!,
  });
  return [along(0), along(1)];
}

/** How many windows fit into `size` elements. */
function windowCount(size: Dim, { kernel, dilation, padding, stride }: Window): Dim {
  const free = add(size, 2 * padding - dilation * (kernel - 1) - 1);
  return add(sym("floordiv", free, stride), 1);
}

/** Elements that each place of the kernel meets, [kernel, windows]. */
function windowIndex(g: Emitter, count: Dim, { kernel, dilation, stride }: Window): Val {
  const offsets = g.constant(
    "int64",
    Array.from({ length: kernel }, (_, i) => i * dilation),
    [kernel, 1],
  );
  const starts = g.op("Mul", [positions(g, count), g.scalar("int64", stride)]);
  return g.op("Add", [offsets, g.unsqueeze(starts, [0])]);
}

/** aten::im2col(Tensor self, int[2] kernel_size, int[2] dilation, int[2] padding, int[2] stride) -> Tensor */
export const im2col: Lowering = (node, g) => {
  const self = node.tensor("self");
  const [vertical, horizontal] = windows(node);
  const [height, width] = self.dims.slice(-2) as [Dim, Dim];
  const [rows, columns] = [windowCount(height, vertical), windowCount(width, horizontal)];
  return batched(g, self, 2, (x) => {
    const hasPads = vertical.padding > 0 || horizontal.padding > 0;
    const pads = [vertical, horizontal].map(({ padding }, i) => ({
      axis: i + 2,
      before: padding,
      after: padding,
    }));
    const whole = hasPads ? padded(g, x, { rank: 4, pads }) : x;
    const byRow = g.op("Gather", [whole, windowIndex(g, rows, vertical)], { axis: 2 });
    const both = g.op("Gather", [byRow, windowIndex(g, columns, horizontal)], { axis: 4 });
    const [channels, batch] = [self.dims.at(-3)!, self.dims.length === 4 ? self.dims[0]! : 1];
    const places = mul(channels, vertical.kernel * horizontal.kernel);
    return g.reshape(g.transpose(both, [0, 1, 2, 4, 3, 5]), [batch, places, mul(rows, columns)]);
  });
};

/** aten::col2im(Tensor self, SymInt[2] output_size, int[2] kernel_size, int[2] dilation, int[2] padding, int[2] stride) -> Tensor */
export const col2im: Lowering = (node, g) => {
  const [vertical, horizontal] = windows(node);
  const attributes = {
    dilations: [vertical.dilation, horizontal.dilation],
    pads: [vertical.padding, horizontal.padding, vertical.padding, horizontal.padding],
    strides: [vertical.stride, horizontal.stride],
  };
  const shape = g.shape(node.sizes("output_size"));
  const block = g.ints([vertical.kernel, horizontal.kernel]);
  return batched(g, node.tensor("self"), 1, (x) =>
    g.labelled(needLabel(node.target, "sizes that go together"), () =>
      g.op("Col2Im", [x, shape, block], attributes),
    ),
  );
};

export const FOLD: LoweringTable = {
  "aten.im2col.default": im2col,
  "aten.col2im.default": col2im,
};

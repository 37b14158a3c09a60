import { add, sym } from "../../graph/sym.ts";
import type { Lowering, LoweringTable } from "../core/lowering.ts";
import { normalizeAxis, type Val } from "../core/tensor.ts";
import { slice } from "../shape/slicing.ts";

/**
 * aten::fft_fftshift(Tensor self, int[1]? dim=None) -> Tensor
 * aten::fft_ifftshift(Tensor self, int[1]? dim=None) -> Tensor
 *
 * Each dimension rolled by half its size.
 */
function halfRoll(isInverse: boolean): Lowering {
  return (node, g) => {
    const self = node.tensor("self");
    const axes = node.has("dim") ? node.ints("dim") : self.dims.map((_, axis) => axis);
    return axes.reduce<Val>((x, dim) => {
      const axis = normalizeAxis(dim, self.dims.length);
      const size = self.dims[axis]!;
      const half = sym("floordiv", add(size, isInverse ? 0 : 1), 2);
      const [end, start] = [Number.MAX_SAFE_INTEGER, 0];
      return g.op(
        "Concat",
        [slice(g, x, { axis, start: half, end }), slice(g, x, { axis, start, end: half })],
        {
          axis,
        },
      );
    }, self);
  };
}

export const FFT_SHIFT: LoweringTable = {
  "aten.fft_fftshift.default": halfRoll(false),
  "aten.fft_ifftshift.default": halfRoll(true),
};

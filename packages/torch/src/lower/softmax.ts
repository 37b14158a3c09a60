import type { Lowering, LoweringTable } from "./lowering.ts";
import { normalizeAxis } from "./tensor.ts";

/** aten::softmax.int(Tensor self, int dim, ScalarType? dtype=None) -> Tensor */
function softmaxLike(type: "Softmax" | "LogSoftmax"): Lowering {
  return (node, g) => {
    const self = node.tensor("self");
    const x = g.cast(self, node.out().dtype);
    if (self.dims.length === 0) return g.squeeze(g.op(type, [g.unsqueeze(x, [0])], { axis: 0 }), [0]);
    return g.op(type, [x], { axis: normalizeAxis(node.int("dim"), self.dims.length) });
  };
}

export const SOFTMAX: LoweringTable = {
  "aten.softmax.int": softmaxLike("Softmax"),
  "aten._softmax.default": softmaxLike("Softmax"),
  "aten.log_softmax.int": softmaxLike("LogSoftmax"),
  "aten._log_softmax.default": softmaxLike("LogSoftmax"),
};

import { product } from "../../graph/sym.ts";
import { all, type Lowering, type LoweringTable } from "../core/lowering.ts";
import type { Val } from "../core/tensor.ts";
import { axesOf, howOf, keepsDims, reduce, reduceMean } from "./reduce.ts";

/**
 * aten::var_mean.correction(Tensor self, int[1]? dim=None, *, Scalar? correction=None, bool keepdim=False) -> (Tensor, Tensor)
 * aten::std_mean.correction(Tensor self, int[1]? dim=None, *, Scalar? correction=None, bool keepdim=False) -> (Tensor, Tensor)
 * aten::std_mean(Tensor self, bool unbiased=True) -> (Tensor, Tensor)
 * aten::std_mean.dim(Tensor self, int[1]? dim, bool unbiased=True, bool keepdim=False) -> (Tensor, Tensor)
 * aten::var_mean(Tensor self, bool unbiased=True) -> (Tensor, Tensor)
 * aten::var_mean.dim(Tensor self, int[1]? dim, bool unbiased=True, bool keepdim=False) -> (Tensor, Tensor)
 */
function withMean(finish: "var" | "std"): Lowering {
  return (node, g) => [
    node.isUsed(0) ? (variance(finish)(node, g) as Val) : undefined,
    node.isUsed(1) ? reduceMean(g, node.tensor("self"), howOf(node)) : undefined,
  ];
}

const FORMS = ["default", "dim", "correction"];

/**
 * aten::var.correction(Tensor self, int[1]? dim=None, *, Scalar? correction=None, bool keepdim=False) -> Tensor
 * aten::std.correction(Tensor self, int[1]? dim=None, *, Scalar? correction=None, bool keepdim=False) -> Tensor
 * aten::std(Tensor self, bool unbiased=True) -> Tensor
 * aten::std.dim(Tensor self, int[1]? dim, bool unbiased=True, bool keepdim=False) -> Tensor
 * aten::var(Tensor self, bool unbiased=True) -> Tensor
 * aten::var.dim(Tensor self, int[1]? dim, bool unbiased=True, bool keepdim=False) -> Tensor
 */
export function variance(finish: "var" | "std"): Lowering {
  return (node, g) => {
    const self = node.tensor("self");
    const axes = axesOf(node, self);
    const correction = node.has("unbiased")
      ? Number(node.bool("unbiased"))
      : (node.optionalFloat("correction") ?? 1);
    const mean = reduce(g, "ReduceMean", self, { axes, keepdims: 1 });
    const centred = g.op("Sub", [self, mean]);
    const sum = reduce(g, "ReduceSum", g.op("Mul", [centred, centred]), { axes, keepdims: keepsDims(node) });
    const count = g.number(product(axes.map((axis) => self.dims[axis]!)), self.dtype);
    const degrees = g.op("Max", [
      g.op("Sub", [count, g.scalar(self.dtype, correction)]),
      g.scalar(self.dtype, 0),
    ]);
    const result = g.op("Div", [sum, degrees]);
    return finish === "std" ? g.op("Sqrt", [result]) : result;
  };
}

export const VARIANCE: LoweringTable = {
  ...all("var_mean", withMean("var"), FORMS),
  ...all("std_mean", withMean("std"), FORMS),
  ...all("var", variance("var"), ["default", "dim", "correction"]),
  ...all("std", variance("std"), ["default", "dim", "correction"]),
};

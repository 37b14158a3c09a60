import { positions } from "../core/arange.ts";
import { withIndex } from "../core/index-check.ts";
import type { Lowering, LoweringTable } from "../core/lowering.ts";

/**
 * aten::multi_margin_loss(Tensor self, Tensor target, Scalar p=1, Scalar margin=1, Tensor? weight=None, int reduction=1) -> Tensor: how far the
 * score of each other class comes within the margin of the right one's
 */
export const multiMarginLoss: Lowering = (node, g) => {
  const self = node.tensor("self");
  const { dtype } = node.out();
  const classes = self.dims.at(-1) ?? 1;
  const rows = self.dims.length < 2 ? 1 : self.dims[0]!;
  const x = g.reshape(g.cast(self, dtype), [rows, classes]);
  const target = g.reshape(g.cast(node.tensor("target"), "int64"), [rows]);
  const right = withIndex(node, g, {
    use: { index: target, size: classes, isUntold: true },
    emit: (index) => g.op("GatherElements", [x, g.unsqueeze(index, [1])], { axis: 1 }),
  });
  const apart = g.op("Sub", [g.as(node.scalar("margin"), dtype), g.op("Sub", [right, x])]);
  const within = g.op("Max", [apart, g.scalar(dtype, 0)]);
  const powered = node.scalar("p").value === 2 ? g.op("Mul", [within, within]) : within;
  const isRight = g.op("Equal", [positions(g, classes), g.unsqueeze(target, [1])]);
  const counted = g.where(isRight, g.scalar(dtype, 0), powered);
  const weight = node.optionalTensor("weight");
  const weighted =
    weight === undefined
      ? counted
      : g.op("Mul", [
          counted,
          withIndex(node, g, {
            use: { index: target, size: classes },
            emit: (index) => g.unsqueeze(g.op("Gather", [g.cast(weight, dtype), index], { axis: 0 }), [1]),
          }),
        ]);
  const sum = g.op("ReduceSum", [weighted, g.ints([1])], { keepdims: 0 });
  const loss = g.op("Div", [sum, g.number(classes, dtype)]);
  const reduction = node.int("reduction");
  if (reduction === 0) return g.reshape(loss, node.out().dims);
  const total = g.op("ReduceSum", [loss], { keepdims: 0 });
  return reduction === 2 ? total : g.op("Div", [total, g.number(rows, dtype)]);
};

/**
 * aten::multilabel_margin_loss(Tensor self, Tensor target, int reduction=1) -> Tensor: how far the score of each class that is not among the
 * right ones comes within 1 of each that is. The right ones are those before the first -1.
 */
export const multilabelMarginLoss: Lowering = (node, g) => {
  const self = node.tensor("self");
  const { dtype } = node.out();
  const classes = self.dims.at(-1) ?? 1;
  const rows = self.dims.length < 2 ? 1 : self.dims[0]!;
  const x = g.reshape(g.cast(self, dtype), [rows, classes]);
  const target = g.reshape(g.cast(node.tensor("target"), "int64"), [rows, classes]);
  const none = g.scalar("int64", 0);
  const ended = g.op("CumSum", [g.cast(g.op("Less", [target, none]), "int64"), g.scalar("int64", 1)]);
  const isNamed = g.op("Equal", [ended, none]);
  // PyTorch looks at all of them, and takes -1 for the end.
  const asked = g.where(g.op("Equal", [target, g.scalar("int64", -1)]), none, target);
  const named = withIndex(node, g, {
    use: { index: asked, size: classes, source: target, isUntold: true },
    emit: (index) => g.op("GatherElements", [x, index], { axis: 1 }),
  });
  const isSame = g.op("Equal", [positions(g, classes), g.unsqueeze(target, [2])]);
  const isRight = g.op("And", [isSame, g.unsqueeze(isNamed, [2])]);
  const hits = g.op("ReduceMax", [g.cast(isRight, "int64"), g.ints([1])], { keepdims: 1 });
  const apart = g.op("Sub", [g.unsqueeze(named, [2]), g.unsqueeze(x, [1])]);
  const within = g.op("Max", [g.op("Sub", [g.scalar(dtype, 1), apart]), g.scalar(dtype, 0)]);
  const isCounted = g.op("And", [g.unsqueeze(isNamed, [2]), g.op("Equal", [hits, none])]);
  const counted = g.where(isCounted, within, g.scalar(dtype, 0));
  const sum = g.op("ReduceSum", [counted, g.ints([1, 2])], { keepdims: 0 });
  const loss = g.op("Div", [sum, g.number(classes, dtype)]);
  const reduction = node.int("reduction");
  if (reduction === 0) return g.reshape(loss, node.out().dims);
  const total = g.op("ReduceSum", [loss], { keepdims: 0 });
  return reduction === 2 ? total : g.op("Div", [total, g.number(rows, dtype)]);
};

export const MARGIN_LOSSES: LoweringTable = {
  "aten.multi_margin_loss.default": multiMarginLoss,
  "aten.multilabel_margin_loss.default": multilabelMarginLoss,
};

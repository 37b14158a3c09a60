import { add, sym } from "../graph/sym.ts";
import { lastTwo } from "./core/axes.ts";
import { all, type Lowering, type LoweringTable } from "./core/lowering.ts";
import { normalizeAxis, type Val } from "./core/tensor.ts";
import { add as addOp, div, divMode, identity, mul as mulOp, sub as subOp } from "./pointwise/arithmetic.ts";
import { cat } from "./shape/concat.ts";
import { expand, permute, reshape, t, transpose } from "./shape/reshaping.ts";
import {
  chunk,
  narrow,
  select,
  slice,
  sliceTensor,
  splitTensor,
  splitWithSizes,
  unbind,
} from "./shape/slicing.ts";

/** aten::mT(Tensor(a) self) -> Tensor(a): the last two dimensions swapped */
export const swapLastTwo: Lowering = (node, g) => {
  const self = node.tensor("self");
  const rank = self.dims.length;
  return rank < 2 ? self : g.transpose(self, lastTwo(rank, rank - 1, rank - 2));
};

/** aten::numpy_T(Tensor(a) self) -> Tensor(a): all dimensions reversed */
export const reverseDims: Lowering = (node, g) => {
  const self = node.tensor("self");
  return g.transpose(self, self.dims.map((_, axis) => axis).reverse());
};

/** aten::swapaxes(Tensor(a) self, int axis0, int axis1) -> Tensor(a) */
export const swapAxes: Lowering = (node, g) => {
  const self = node.tensor("self");
  const rank = self.dims.length;
  const [a, b] = [normalizeAxis(node.int("axis0"), rank), normalizeAxis(node.int("axis1"), rank)];
  return g.transpose(
    self,
    self.dims.map((_, axis) => (axis === a ? b : axis === b ? a : axis)),
  );
};

/** aten::broadcast_tensors(Tensor[] tensors) -> Tensor[] */
export const broadcastTensors: Lowering = (node, g) =>
  node
    .tensors("tensors")
    .map((tensor, i) => (node.isUsed(i) ? g.expand(tensor, node.out(i).dims) : undefined));

/** aten::fliplr(Tensor self) -> Tensor, aten::flipud(Tensor self) -> Tensor */
function flipAxis(axis: number): Lowering {
  return (node, g) =>
    g.op("Slice", [
      node.tensor("self"),
      g.ints([-1]),
      g.ints([Number.MIN_SAFE_INTEGER]),
      g.ints([axis]),
      g.ints([-1]),
    ]);
}

/** aten::fft_fftshift(Tensor self, int[1]? dim=None) -> Tensor: each dimension rolled by half its size */
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

/** aten::sum_to_size(Tensor self, SymInt[] size) -> Tensor: undoes a broadcast */
export const sumToSize: Lowering = (node, g) => {
  const self = node.tensor("self");
  const { dims, dtype } = node.out();
  const lead = self.dims.length - dims.length;
  const axes = self.dims.flatMap((dim, axis) =>
    axis < lead || (dims[axis - lead] === 1 && dim !== 1) ? [axis] : [],
  );
  if (axes.length === 0) return self;
  return g.reshape(g.op("ReduceSum", [g.cast(self, dtype), g.ints(axes)], { keepdims: 1 }), dims);
};

/** aten::isreal(Tensor self) -> Tensor, for tensors that are no complex ones */
export const isReal: Lowering = (node, g) => g.expand(g.scalar("bool", 1), node.out().dims);

/** aten::positive(Tensor(a) self) -> Tensor(a), and what conjugates: real tensors stay as they are */
export const real: Lowering = (node, g) => {
  node.out();
  return identity(node, g);
};

/** Ops that are no more than their result's size. */
const RESHAPES = [
  "ravel",
  "atleast_1d",
  "atleast_2d",
  "atleast_3d",
  "unsqueeze_copy",
  "view_copy",
  "_reshape_alias",
];

export const ALIASES: LoweringTable = {
  ...all("subtract", subOp, ["Tensor", "Scalar"]),
  ...all("multiply", mulOp, ["Tensor", "Scalar"]),
  ...all("divide", div, ["Tensor", "Scalar"]),
  ...all("divide", divMode, ["Tensor_mode", "Scalar_mode"]),
  "aten._add_relu.Tensor": (node, g) => g.op("Max", [addOp(node, g) as Val, g.scalar(node.out().dtype, 0)]),
  ...all("mT", swapLastTwo, ["default"]),
  ...all("mH", swapLastTwo, ["default"]),
  ...all("adjoint", swapLastTwo, ["default"]),
  ...all("matrix_H", swapLastTwo, ["default"]),
  ...all("numpy_T", reverseDims, ["default"]),
  ...all("swapaxes", swapAxes, ["default"]),
  ...all("swapdims", transpose, ["default"]),
  ...Object.fromEntries(RESHAPES.map((op) => [`aten.${op}.default`, reshape])),
  ...all("squeeze_copy", reshape, ["default", "dim", "dims"]),
  "aten.t_copy.default": t,
  "aten.transpose_copy.int": transpose,
  "aten.permute_copy.default": permute,
  "aten.expand_copy.default": expand,
  "aten.alias_copy.default": identity,
  "aten.narrow_copy.default": narrow,
  "aten.select_copy.int": select,
  "aten.slice_copy.Tensor": sliceTensor,
  "aten.split_copy.Tensor": splitTensor,
  "aten.split_with_sizes_copy.default": splitWithSizes,
  "aten.unbind_copy.int": unbind,
  "aten.unsafe_chunk.default": chunk,
  "aten.unsafe_split.Tensor": splitTensor,
  "aten.unsafe_split_with_sizes.default": splitWithSizes,
  "aten.broadcast_tensors.default": broadcastTensors,
  "aten.concatenate.default": cat,
  "aten.fliplr.default": flipAxis(1),
  "aten.flipud.default": flipAxis(0),
  "aten.fft_fftshift.default": halfRoll(false),
  "aten.fft_ifftshift.default": halfRoll(true),
  "aten.sum_to_size.default": sumToSize,
  "aten.isreal.default": isReal,
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
};

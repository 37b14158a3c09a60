import { lastTwo } from "../core/axes.ts";
import { all, type Lowering, type LoweringTable } from "../core/lowering.ts";
import { normalizeAxis } from "../core/tensor.ts";

/**
 * aten::mT(Tensor(a) self) -> Tensor(a)
 * aten::adjoint(Tensor(a) self) -> Tensor(a)
 * aten::mH(Tensor(a) self) -> Tensor(a)
 * aten::matrix_H(Tensor(a) self) -> Tensor(a)
 *
 * The last two dimensions swapped.
 */
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

/**
 * aten::view(Tensor(a) self, SymInt[] size) -> Tensor(a)
 * aten::_reshape_alias(Tensor(a) self, SymInt[] size, SymInt[] stride) -> Tensor(a)
 * aten::_unsafe_view(Tensor self, SymInt[] size) -> Tensor
 * aten::atleast_1d(Tensor self) -> Tensor
 * aten::atleast_2d(Tensor self) -> Tensor
 * aten::atleast_3d(Tensor self) -> Tensor
 * aten::flatten.using_ints(Tensor(a) self, int start_dim=0, int end_dim=-1) -> Tensor(a)
 * aten::ravel(Tensor(a) self) -> Tensor(a)
 * aten::reshape(Tensor(a) self, SymInt[] shape) -> Tensor(a)
 * aten::reshape_as(Tensor(a) self, Tensor other) -> Tensor(a)
 * aten::squeeze(Tensor(a) self) -> Tensor(a)
 * aten::squeeze.dim(Tensor(a) self, int dim) -> Tensor(a)
 * aten::squeeze.dims(Tensor(a) self, int[] dim) -> Tensor(a)
 * aten::squeeze_copy(Tensor self) -> Tensor
 * aten::squeeze_copy.dim(Tensor self, int dim) -> Tensor
 * aten::squeeze_copy.dims(Tensor self, int[] dim) -> Tensor
 * aten::unflatten.int(Tensor(a) self, int dim, SymInt[] sizes) -> Tensor(a)
 * aten::unsqueeze(Tensor(a) self, int dim) -> Tensor(a)
 * aten::unsqueeze_copy(Tensor self, int dim) -> Tensor
 * aten::view_as(Tensor(a) self, Tensor other) -> Tensor(a)
 * aten::view_copy(Tensor self, SymInt[] size) -> Tensor
 *
 * The program states the resulting size, so that -1 needs no thought.
 */
export const reshape: Lowering = (node, g) => g.reshape(node.tensor("self"), node.out().dims);

/**
 * aten::permute(Tensor(a) self, int[] dims) -> Tensor(a)
 * aten::permute_copy(Tensor self, int[] dims) -> Tensor
 */
export const permute: Lowering = (node, g) => {
  const self = node.tensor("self");
  return g.transpose(
    self,
    node.ints("dims").map((dim) => normalizeAxis(dim, self.dims.length)),
  );
};

/**
 * aten::transpose.int(Tensor(a) self, int dim0, int dim1) -> Tensor(a)
 * aten::swapdims(Tensor(a) self, int dim0, int dim1) -> Tensor(a)
 * aten::transpose_copy.int(Tensor self, int dim0, int dim1) -> Tensor
 */
export const transpose: Lowering = (node, g) => {
  const self = node.tensor("self");
  const rank = self.dims.length;
  const [a, b] = [normalizeAxis(node.int("dim0"), rank), normalizeAxis(node.int("dim1"), rank)];
  return g.transpose(
    self,
    self.dims.map((_, i) => (i === a ? b : i === b ? a : i)),
  );
};

/**
 * aten::t(Tensor(a) self) -> Tensor(a)
 * aten::t_copy(Tensor self) -> Tensor
 */
export const t: Lowering = (node, g) => {
  const self = node.tensor("self");
  return self.dims.length < 2 ? self : g.transpose(self, [1, 0]);
};

/**
 * aten::movedim.intlist(Tensor(a) self, int[] source, int[] destination) -> Tensor(a)
 * aten::movedim.int(Tensor(a) self, int source, int destination) -> Tensor(a)
 */
export const movedim: Lowering = (node, g) => {
  const rank = node.tensor("self").dims.length;
  const axes = (name: string): number[] => node.ints(name).map((dim) => normalizeAxis(dim, rank));
  const [source, destination] = [axes("source"), axes("destination")];
  const rest = Array.from({ length: rank }, (_, i) => i).filter((axis) => !source.includes(axis));
  const perm = Array.from({ length: rank }, (_, i) =>
    destination.includes(i) ? source[destination.indexOf(i)]! : rest.shift()!,
  );
  return g.transpose(node.tensor("self"), perm);
};

/**
 * aten::expand(Tensor(a) self, SymInt[] size, *, bool implicit=False) -> Tensor(a)
 * aten::broadcast_to(Tensor(a) self, SymInt[] size) -> Tensor(a)
 * aten::expand_as(Tensor(a) self, Tensor other) -> Tensor(a)
 * aten::expand_copy(Tensor self, SymInt[] size, *, bool implicit=False) -> Tensor
 */
export const expand: Lowering = (node, g) => g.expand(node.tensor("self"), node.out().dims);

export const RESHAPING: LoweringTable = {
  "aten.view.default": reshape,
  "aten.reshape.default": reshape,
  "aten.flatten.using_ints": reshape,
  "aten.unflatten.int": reshape,
  "aten._unsafe_view.default": reshape,
  "aten.squeeze.default": reshape,
  "aten.squeeze.dim": reshape,
  "aten.squeeze.dims": reshape,
  "aten.unsqueeze.default": reshape,
  "aten.view_as.default": reshape,
  "aten.reshape_as.default": reshape,
  "aten.permute.default": permute,
  "aten.transpose.int": transpose,
  "aten.t.default": t,
  "aten.movedim.int": movedim,
  "aten.movedim.intlist": movedim,
  "aten.expand.default": expand,
  "aten.expand_as.default": expand,
  "aten.broadcast_to.default": expand,
  ...all("mT", swapLastTwo, ["default"]),
  ...all("mH", swapLastTwo, ["default"]),
  ...all("adjoint", swapLastTwo, ["default"]),
  ...all("matrix_H", swapLastTwo, ["default"]),
  ...all("numpy_T", reverseDims, ["default"]),
  ...all("swapaxes", swapAxes, ["default"]),
  ...all("swapdims", transpose, ["default"]),
  "aten.broadcast_tensors.default": broadcastTensors,
};

import { all, type LoweringTable } from "../core/lowering.ts";
import { expand, permute, reshape, t, transpose } from "./reshaping.ts";
import { chunk, narrow, select, sliceTensor, splitTensor, splitWithSizes, unbind } from "./slicing.ts";

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
  ...Object.fromEntries(RESHAPES.map((op) => [`aten.${op}.default`, reshape])),
  ...all("squeeze_copy", reshape, ["default", "dim", "dims"]),
  "aten.t_copy.default": t,
  "aten.transpose_copy.int": transpose,
  "aten.permute_copy.default": permute,
  "aten.expand_copy.default": expand,
  "aten.narrow_copy.default": narrow,
  "aten.select_copy.int": select,
  "aten.slice_copy.Tensor": sliceTensor,
  "aten.split_copy.Tensor": splitTensor,
  "aten.split_with_sizes_copy.default": splitWithSizes,
  "aten.unbind_copy.int": unbind,
  "aten.unsafe_chunk.default": chunk,
  "aten.unsafe_split.Tensor": splitTensor,
  "aten.unsafe_split_with_sizes.default": splitWithSizes,
};

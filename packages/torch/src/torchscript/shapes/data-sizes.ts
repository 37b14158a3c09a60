import { product } from "../../graph/sym.ts";
import { unsupportedOp } from "../unsupported-op.ts";
import { axisOf, requireSame } from "./dims.ts";
import { type ShapeArgs, type ShapeFn, type ShapeTable, tensorType } from "./shape-args.ts";

/** Ops whose results have sizes that only the data knows: each such size is a symbol, measured when the program runs. */

const positions: ShapeFn = (args) => tensorType("int64", [args.dataSize(), args.tensor("self").dims.length]);

const coordinates: ShapeFn = (args) => {
  const rank = Math.max(args.tensor("self").dims.length, 1);
  const count = args.dataSize();
  return Array.from({ length: rank }, () => tensorType("int64", [count]));
};

const firstPositions: ShapeFn = (args) =>
  tensorType("int64", [args.size("size"), args.tensor("self").dims.length]);

const maskedSelect: ShapeFn = (args) => tensorType(args.tensor("self").dtype, [args.dataSize()]);

/** Values, where each element's value is among them, and how often each occurs; what is not asked for is empty. */
const unique: ShapeFn = (args) => {
  const { dtype, dims } = args.tensor("self");
  const count = args.dataSize();
  const inverse = args.bool("return_inverse") ? dims : [0];
  const counts = args.bool("return_counts") ? [count] : [0];
  return [tensorType(dtype, [count]), tensorType("int64", inverse), tensorType("int64", counts)];
};

const uniqueAlong: ShapeFn = (args) => {
  if (!args.has("dim")) return unique(args);
  const { dtype, dims } = args.tensor("self");
  const [count, axis] = [args.dataSize(), axisOf(args.int("dim"), dims.length)];
  const own = dims[axis] ?? unsupportedOp("a tensor without dimensions");
  return [
    tensorType(
      dtype,
      dims.map((dim, at) => (at === axis ? count : dim)),
    ),
    tensorType("int64", args.bool("return_inverse") || args.isTarget("unique_dim") ? [own] : [0]),
    tensorType("int64", args.bool("return_counts") || args.isTarget("unique_dim") ? [count] : [0]),
  ];
};

/** Weights of float32 stay what they are; all others are summed as float64. */
const bincount: ShapeFn = (args) => {
  const weights = args.has("weights") ? args.tensor("weights").dtype : undefined;
  const dtype = weights === undefined ? "int64" : weights === "float32" ? "float32" : "float64";
  return tensorType(dtype, [args.dataSize()]);
};

function repeatedSize(args: ShapeArgs): ReturnType<ShapeArgs["size"]> {
  return args.has("output_size") ? args.size("output_size") : args.dataSize();
}

const repeats: ShapeFn = (args) => tensorType(args.tensor("repeats").dtype, [repeatedSize(args)]);

const repeated: ShapeFn = (args) => {
  const { dtype, dims } = args.tensor("self");
  const [count] = args.tensor("repeats").dims;
  if (!args.has("dim")) {
    if (count !== undefined && count !== 1) requireSame(product(dims), count);
    return tensorType(dtype, [repeatedSize(args)]);
  }
  const axis = axisOf(args.int("dim"), dims.length);
  if (count !== undefined && count !== 1) requireSame(dims[axis] ?? 1, count);
  return tensorType(
    dtype,
    dims.map((dim, at) => (at === axis ? repeatedSize(args) : dim)),
  );
};

export const DATA_SIZES: ShapeTable = {
  nonzero: positions,
  argwhere: positions,
  nonzero_numpy: coordinates,
  nonzero_static: firstPositions,
  masked_select: maskedSelect,
  _unique2: unique,
  unique_dim: uniqueAlong,
  unique_consecutive: uniqueAlong,
  bincount,
  "repeat_interleave.Tensor": repeats,
  "repeat_interleave.self_Tensor": repeated,
};

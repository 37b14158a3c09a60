import type { DType } from "../../dtype.ts";
import { greatest } from "../../graph/bounds.ts";
import type { TensorType } from "../../graph/ir.ts";
import type { Dim } from "../../graph/sym.ts";
import { mul, product, sub } from "../../graph/sym.ts";
import { unsupportedOp } from "../unsupported-op.ts";
import { isNumber } from "../value.ts";
import { axisOf, broadcast, ceilDivide } from "./dims.ts";
import { masked, same } from "./elementwise.ts";
import { type ShapeArgs, type ShapeFn, type ShapeTable, tensorType } from "./shape-args.ts";

const gather: ShapeFn = (args) => tensorType(args.tensor("self").dtype, args.tensor("index").dims);

const takeAlongDim: ShapeFn = (args) => {
  const { dtype, dims } = args.tensor("self");
  const indices = args.tensor("indices").dims;
  if (!args.has("dim")) return tensorType(dtype, [product(indices)]);
  const at = axisOf(args.int("dim"), dims.length);
  const whole = broadcast(
    dims.map((dim, axis) => (axis === at ? 1 : dim)),
    indices,
  );
  return tensorType(dtype, whole);
};

const indexSelect: ShapeFn = (args) => {
  const { dtype, dims } = args.tensor("self");
  const at = axisOf(args.int("dim"), dims.length);
  return tensorType(
    dtype,
    dims.map((dim, axis) => (axis === at ? (args.tensor("index").dims[0] ?? 1) : dim)),
  );
};

const embedding: ShapeFn = (args) => {
  const weight = args.tensor("weight");
  return tensorType(weight.dtype, [...args.tensor("indices").dims, ...weight.dims.slice(1)]);
};

/**
 * Index tensors side by side replace their axes; separated by others they move to the front. A mask stands for the positions where it is
 * true: as many index tensors as it has dimensions, each with as many elements as only the data knows.
 */
const index: ShapeFn = (args) => {
  const { dtype, dims } = args.tensor("self");
  const given = args.items("indices").map((item) => (item.kind === "tensor" ? item.type : undefined));
  if (given.some((type) => type?.dtype === "uint8"))
    return unsupportedOp("a mask of uint8 is an index by position in some versions of PyTorch");
  const indices = given.flatMap((type) => (type?.dtype === "bool" ? positionsOf(args, type) : [type]));
  const used = [...indices.keys()].filter((axis) => indices[axis] !== undefined);
  const shape = broadcast(...used.map((axis) => indices[axis]!.dims));
  const first = used[0] ?? 0;
  const isAdjacent = used.every((axis, i) => axis === first + i);
  const rest = (from: number, to: number): Dim[] =>
    dims.slice(from, to).filter((_, i) => indices[from + i] === undefined);
  if (isAdjacent) return tensorType(dtype, [...rest(0, first), ...shape, ...rest(first, dims.length)]);
  return tensorType(dtype, [...shape, ...rest(0, dims.length)]);
};

function positionsOf(args: ShapeArgs, mask: TensorType): TensorType[] {
  if (mask.dims.length === 0) return unsupportedOp("a mask without dimensions as index");
  const positions = tensorType("int64", [args.dataSize()]);
  return mask.dims.map(() => positions);
}

const filled =
  (dtypeOf: (args: ShapeArgs) => DType): ShapeFn =>
  (args) =>
    tensorType(args.dtype() ?? dtypeOf(args), args.sizes(args.has("size") ? "size" : "n"));

const float32 = (): DType => "float32";

function numberType(args: ShapeArgs, name: string): DType {
  const value = args.get(name);
  const number = value.kind === "tensor" ? value.number : value;
  if (number === undefined || !isNumber(number))
    return unsupportedOp(`its argument '${name}' is not a number`);
  return number.kind === "float" ? "float32" : number.kind === "int" ? "int64" : "bool";
}

const like: ShapeFn = (args) => {
  const { dtype, dims } = args.tensor("self");
  return tensorType(args.dtype() ?? dtype, dims);
};

const fresh: ShapeFn = (args) => tensorType(args.dtype() ?? args.tensor("self").dtype, args.sizes("size"));

const arange: ShapeFn = (args) => {
  const names = ["start", "end", "step"].filter((name) => args.has(name));
  const types = names.map((name) => numberType(args, name));
  const dtype = args.dtype() ?? (types.includes("float32") ? "float32" : "int64");
  if (types.includes("float32")) {
    const [start, end, step] = [at(args, "start", 0), at(args, "end", 0), at(args, "step", 1)];
    return tensorType(dtype, [Math.max(0, Math.ceil((end - start) / step))]);
  }
  const start: Dim = args.has("start") ? args.size("start") : 0;
  const step = args.has("step") ? args.int("step") : 1;
  const span = sub(args.size("end"), start);
  if (step === 0) return unsupportedOp("its step is 0");
  const [length, stride] = step > 0 ? [span, step] : [mul(-1, span), -step];
  return tensorType(dtype, [greatest(0, ceilDivide(length, stride))]);
};

function at(args: ShapeArgs, name: string, absent: number): number {
  return args.has(name) ? args.number(name) : absent;
}

const linspace: ShapeFn = (args) => tensorType(args.dtype() ?? "float32", [args.size("steps")]);

const eye: ShapeFn = (args) =>
  tensorType(args.dtype() ?? "float32", [args.size("n"), args.has("m") ? args.size("m") : args.size("n")]);

const oneHot: ShapeFn = (args) => {
  const classes = args.int("num_classes");
  if (classes < 1) return unsupportedOp("its number of classes depends on the data");
  return tensorType("int64", [...args.tensor("self").dims, classes]);
};

const window: ShapeFn = (args) => tensorType(args.dtype() ?? "float32", [args.size("window_length")]);

const found: ShapeFn = (args) =>
  tensorType(args.bool("out_int32") ? "int32" : "int64", args.operandDims("self"));

export const INDEXING: ShapeTable = {
  gather,
  take_along_dim: takeAlongDim,
  index_select: indexSelect,
  embedding,
  embedding_renorm: (args) => args.tensor("self"),
  "index.Tensor": index,
  index_put: same,
  _unsafe_masked_index: index,
  _unsafe_masked_index_put_accumulate: same,
  index_add: same,
  index_copy: same,
  index_fill: same,
  scatter: same,
  scatter_add: same,
  scatter_reduce: same,
  masked_scatter: masked,
  slice_scatter: same,
  select_scatter: same,
  zeros: filled(float32),
  ones: filled(float32),
  empty: filled(float32),
  full: filled((args) => numberType(args, "fill_value")),
  zeros_like: like,
  ones_like: like,
  empty_like: like,
  full_like: like,
  new_zeros: fresh,
  new_ones: fresh,
  new_empty: fresh,
  new_full: fresh,
  arange,
  linspace,
  logspace: linspace,
  eye,
  one_hot: oneHot,
  scalar_tensor: (args) => tensorType(args.dtype() ?? numberType(args, "s"), []),
  index_reduce: same,
  put: same,
  take: (args) => tensorType(args.tensor("self").dtype, args.tensor("index").dims),
  bartlett_window: window,
  blackman_window: window,
  hann_window: window,
  hamming_window: window,
  kaiser_window: window,
  empty_permuted: filled(float32),
  searchsorted: found,
  bucketize: (args) => tensorType(args.bool("out_int32") ? "int32" : "int64", args.operandDims("self")),
};

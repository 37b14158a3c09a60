import { add, type Dim, product, symbolsOf } from "../../graph/sym.ts";
import { axisOf, broadcast, requireAtLeast, requireSame, requireSome } from "./dims.ts";
import { isFloat, type ShapeArgs } from "./shape-args.ts";

/** What an op needs of sizes, beyond what the type of its result does. Throws UnprovenSize where it does not hold of every size. */
type Needs = (args: ShapeArgs) => void;

const dimsOf = (args: ShapeArgs, name: string): readonly Dim[] => args.tensor(name).dims;

function sizeAlong(args: ShapeArgs, name = "dim"): Dim {
  const dims = dimsOf(args, "self");
  return dims[axisOf(args.int(name), dims.length)] ?? 1;
}

/** Without elements PyTorch raises, or answers with something of its own. */
const some =
  (...names: readonly string[]): Needs =>
  (args) => {
    for (const name of names) for (const dim of dimsOf(args, name)) requireSome(dim);
  };

const someAlong: Needs = (args) => requireSome(sizeAlong(args));

/** Images that are convolved in integers. */
const wholeBatch: Needs = (args) => {
  const { dtype, dims } = args.tensor("input");
  if (!isFloat(dtype)) requireSome(dims[0] ?? 1);
};

const attention: Needs = (args) => {
  const ranks = new Set(["query", "key", "value"].map((name) => dimsOf(args, name).length));
  if (ranks.size > 1) some("query")(args);
};

/** Several indices are broadcast against each other; masks count their own. */
const indicesMeet: Needs = (args) => {
  const indices = args
    .items("indices")
    .flatMap((item) => (item.kind === "tensor" && item.type.dtype.startsWith("int") ? [item.type.dims] : []));
  broadcast(...indices);
};

const narrow: Needs = (args) => {
  const size = sizeAlong(args);
  const start = args.size("start");
  if (typeof start !== "number") requireAtLeast(size, args.size("length"));
  else if (start < 0) requireAtLeast(size, -start);
  else requireAtLeast(size, add(start, args.size("length")));
};

/** PyTorch runs no recurrent layer over no steps; `input` has rows before steps with `batch_first`, and no rows when it has rank 2. */
const steps: Needs = (args) => {
  const dims = dimsOf(args, "input");
  requireSome(dims[dims.length > 2 && args.bool("batch_first") ? 1 : 0] ?? 1);
};

const instanceNorm: Needs = (args) => {
  some("input")(args);
  if (args.bool("use_input_stats")) requireAtLeast(product(dimsOf(args, "input").slice(2)), 2);
};

/** Reflectors of fewer rows than columns are none. */
const reflectors: Needs = (args) => {
  const [rows, columns] = dimsOf(args, "input").slice(-2);
  requireAtLeast(rows ?? 1, columns ?? 1);
  requireAtLeast(columns ?? 1, dimsOf(args, "tau").at(-1) ?? 1);
};

const invertible: Needs = (args) => {
  const dims = dimsOf(args, "self");
  const ind = args.int("ind");
  requireSame(product(dims.slice(0, ind)), product(dims.slice(ind)));
};

const coordinates =
  (input: string): Needs =>
  (args) => {
    const grid = dimsOf(args, "grid");
    requireSame(grid.at(-1) ?? 1, dimsOf(args, input).length - 2);
  };

/** By op, or op and overload: which sizes PyTorch raises for where nothing else would notice. */
const NEEDS: Readonly<Record<string, Needs>> = {
  addmv: some("mat"),
  aminmax: some("self"),
  index_reduce: some("self"),
  index_put: indicesMeet,
  _unsafe_masked_index: some("self"),
  _unsafe_masked_index_put_accumulate: (args) => {
    some("self")(args);
    indicesMeet(args);
  },
  glu: someAlong,
  instance_norm: instanceNorm,
  "lstm.input": steps,
  "gru.input": steps,
  "rnn_tanh.input": steps,
  "rnn_relu.input": steps,
  linalg_matrix_norm: some("self"),
  linalg_norm: some("self"),
  linalg_householder_product: reflectors,
  linalg_tensorinv: invertible,
  _native_multi_head_attention: (args) => (args.has("mask") ? some("query")(args) : undefined),
  _transformer_encoder_layer_fwd: (args) => (args.has("mask") ? some("src")(args) : undefined),
  native_batch_norm: some("input"),
  multi_margin_loss: some("self"),
  pixel_unshuffle: some("self"),
  scaled_dot_product_attention: attention,
  trapezoid: some("y"),
  trapz: some("y"),
  bincount: (args) => (args.has("weights") ? some("self")(args) : undefined),
  "repeat_interleave.self_Tensor": some("repeats"),
  conv1d: wholeBatch,
  conv2d: wholeBatch,
  conv3d: wholeBatch,
  _convolution: wholeBatch,
  conv_transpose1d: wholeBatch,
  conv_transpose2d: wholeBatch,
  conv_transpose3d: wholeBatch,
  narrow,
  narrow_copy: narrow,
  unfold: (args) => requireAtLeast(sizeAlong(args, "dimension"), args.size("size")),
  unfold_copy: (args) => requireAtLeast(sizeAlong(args, "dimension"), args.size("size")),
  topk: (args) => {
    const size = sizeAlong(args);
    // Of a product ONNX Runtime sees to it.
    if (symbolsOf(size).size < 2) requireAtLeast(size, args.size("k"));
  },
  stft: (args) => {
    some("self")(args);
    requireAtLeast(dimsOf(args, "self").at(-1) ?? 1, args.size("n_fft"));
  },
  grid_sampler: coordinates("input"),
  grid_sampler_2d: coordinates("input"),
  grid_sampler_3d: coordinates("input"),
};

/** Checks the sizes that a call of a target, such as "aten.topk.default", is given. Throws UnprovenSize, UnsupportedOp. */
export function checkNeeds(target: string, args: ShapeArgs): void {
  const [, op = "", overload = ""] = target.split(".");
  for (const name of [op, `${op}.${overload}`]) if (Object.hasOwn(NEEDS, name)) NEEDS[name]!(args);
}

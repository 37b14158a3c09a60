import type { Dim } from "../../graph/sym.ts";
import type { Emitter } from "../core/emitter.ts";
import type { Lowering, LoweringTable } from "../core/lowering.ts";
import { isFloat, isTensor, type Operand, type Scalar, type Val } from "../core/tensor.ts";
import { unsupported } from "../core/unsupported.ts";

/** A tensor of one value. */
function filled(
  g: Emitter,
  value: Operand,
  { dtype, dims }: { dtype: Val["dtype"]; dims: readonly Dim[] },
): Val {
  return g.expand(isTensor(value) ? g.cast(value, dtype) : g.as(value, dtype), dims);
}

/** aten::zeros(SymInt[] size, *, ...) -> Tensor, and ones, empty (whose values nobody may use), their `_like` and `new_` forms */
function constant(value: number): Lowering {
  return (node, g) => filled(g, { kind: "int", value }, node.out());
}

/** aten::full(SymInt[] size, Scalar fill_value, *, ...) -> Tensor */
export const full: Lowering = (node, g) => filled(g, node.operand("fill_value"), node.out());

/** aten::scalar_tensor(Scalar s, *, ...) -> Tensor */
export const scalarTensor: Lowering = (node, g) => g.as(node.scalar("s"), node.out().dtype);

/** aten::arange.start_step(Scalar start, Scalar end, Scalar step=1, *, ...) -> Tensor */
export const arange: Lowering = (node, g) => {
  const { dtype, dims } = node.out();
  const start: Scalar = node.has("start") ? node.scalar("start") : { kind: "int", value: 0 };
  const step: Scalar = node.has("step") ? node.scalar("step") : { kind: "int", value: 1 };
  const count = g.op("Range", [g.scalar("int64", 0), g.number(dims[0]!, "int64"), g.scalar("int64", 1)]);
  const scaled =
    step.value === 1 ? g.cast(count, dtype) : g.op("Mul", [g.cast(count, dtype), g.as(step, dtype)]);
  return start.value === 0 ? scaled : g.op("Add", [scaled, g.as(start, dtype)]);
};

/** aten::linspace(Scalar start, Scalar end, SymInt steps, *, ...) -> Tensor. Counts from both ends, as PyTorch does. */
export const linspace: Lowering = (node, g) => {
  const { dtype, dims } = node.out();
  const steps = dims[0]!;
  if (typeof steps !== "number") return unsupported("the number of steps is not constant");
  // PyTorch cuts the bounds of an integer progression before it divides.
  const bound = (name: string): number => (isFloat(dtype) ? node.float(name) : Math.trunc(node.float(name)));
  const [start, end] = [bound("start"), bound("end")];
  const width = steps > 1 ? (end - start) / (steps - 1) : 0;
  const values = Array.from({ length: steps }, (_, i) =>
    i < steps / 2 ? start + width * i : end - width * (steps - 1 - i),
  );
  return g.constant(dtype, values, [steps]);
};

/** aten::eye.m(SymInt n, SymInt m, *, ...) -> Tensor */
export const eye: Lowering = (node, g) => {
  const { dtype, dims } = node.out();
  const [rows, columns] = [indices(g, dims[0]!), indices(g, dims[1]!)];
  return g.cast(g.op("Equal", [g.unsqueeze(rows, [1]), columns]), dtype);
};

function indices(g: Emitter, size: Dim): Val {
  return g.op("Range", [g.scalar("int64", 0), g.number(size, "int64"), g.scalar("int64", 1)]);
}

/** aten::tril(Tensor self, SymInt diagonal=0) -> Tensor */
function triangle(upper: 0 | 1): Lowering {
  return (node, g) =>
    g.op("Trilu", [node.tensor("self"), g.number(node.size("diagonal"), "int64")], { upper });
}

/** aten::one_hot(Tensor self, int num_classes=-1) -> Tensor */
export const oneHot: Lowering = (node, g) => {
  const self = node.tensor("self");
  const classes = node.out().dims.at(-1)!;
  return g.cast(g.op("Equal", [g.unsqueeze(self, [-1]), indices(g, classes)]), "int64");
};

/** aten::meshgrid.indexing(Tensor[] tensors, *, str indexing) -> Tensor[] */
export const meshgrid: Lowering = (node, g) => {
  const tensors = node.tensors("tensors");
  const isXy = node.has("indexing") && node.string("indexing") === "xy";
  return tensors.map((tensor, i) => {
    if (!node.isUsed(i)) return undefined;
    const axis = isXy && i < 2 && tensors.length > 1 ? 1 - i : i;
    const { dims } = node.out(i);
    return g.expand(
      g.reshape(
        tensor,
        dims.map((_, at) => (at === axis ? (tensor.dims[0] ?? 1) : 1)),
      ),
      dims,
    );
  });
};

const FORMS = ["zeros", "ones", "empty"] as const;
const VALUE = { zeros: 0, ones: 1, empty: 0 } as const;

export const CREATION: LoweringTable = {
  ...Object.fromEntries(
    FORMS.flatMap((form) => {
      const lowering = constant(VALUE[form]);
      const plain = form === "empty" ? "aten.empty.memory_format" : `aten.${form}.default`;
      return [plain, `aten.${form}_like.default`, `aten.new_${form}.default`].map((target) => [
        target,
        lowering,
      ]);
    }),
  ),
  "aten.empty_permuted.default": constant(0),
  "aten.full.default": full,
  "aten.full_like.default": full,
  "aten.new_full.default": full,
  "aten.scalar_tensor.default": scalarTensor,
  "aten.arange.default": arange,
  "aten.arange.start": arange,
  "aten.arange.start_step": arange,
  "aten.linspace.default": linspace,
  "aten.eye.default": eye,
  "aten.eye.m": eye,
  "aten.tril.default": triangle(0),
  "aten.triu.default": triangle(1),
  "aten.one_hot.default": oneHot,
  "aten.meshgrid.default": meshgrid,
  "aten.meshgrid.indexing": meshgrid,
};

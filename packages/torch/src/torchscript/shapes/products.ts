import type { Dim } from "../../graph/sym.ts";
import { unsupportedOp } from "../unsupported-op.ts";
import { broadcast, requireSame } from "./dims.ts";
import { promotedList } from "./joining.ts";
import { type ShapeFn, type ShapeTable, tensorType } from "./shape-args.ts";

const linear: ShapeFn = (args) => {
  const { dtype, dims } = args.tensor("input");
  const weight = args.tensor("weight").dims;
  requireSame(dims.at(-1) ?? 1, weight.at(-1) ?? 1);
  return tensorType(dtype, [...dims.slice(0, -1), ...weight.slice(0, -1)]);
};

export function multiplied(a: readonly Dim[], b: readonly Dim[]): Dim[] {
  if (a.length === 0 || b.length === 0) return unsupportedOp("a 0-d tensor cannot be multiplied");
  requireSame(a.at(-1)!, b.length === 1 ? b[0]! : b.at(-2)!);
  const batch = broadcast(a.slice(0, -2), b.slice(0, -2));
  return [...batch, ...(a.length > 1 ? [a.at(-2)!] : []), ...(b.length > 1 ? [b.at(-1)!] : [])];
}

const matmul =
  (first: string, second: string): ShapeFn =>
  (args) => {
    const a = args.tensor(first);
    return tensorType(args.promoted(first, second), multiplied(a.dims, args.tensor(second).dims));
  };

const addedProduct =
  (first: string, second: string): ShapeFn =>
  (args) => {
    const product = multiplied(args.tensor(first).dims, args.tensor(second).dims);
    return tensorType(args.promoted("self", first, second), broadcast(product, args.tensor("self").dims));
  };

/** The labels of one operand of an einsum, with one label of its own for each dimension that `...` stands for. */
function labelsOf(term: string, rank: number): string[] {
  const [head = "", tail] = term.split("...");
  const letters = [...head, ...(tail ?? "")];
  const dots = tail === undefined ? 0 : rank - letters.length;
  if (dots < 0 || letters.length + dots !== rank || !letters.every((label) => /^[A-Za-z]$/.test(label)))
    return unsupportedOp(`the operand '${term}' of an equation`);
  return [...head, ...Array.from({ length: dots }, (_, i) => `.${dots - i}`), ...(tail ?? "")];
}

/** Without `->` the labels that occur once, sorted, behind what `...` stands for. */
function impliedLabels(all: readonly string[]): string[] {
  const once = [...new Set(all)].filter((label) => all.indexOf(label) === all.lastIndexOf(label));
  return [...dotsOf(all), ...once.filter((label) => !label.startsWith(".")).sort()];
}

function dotsOf(all: readonly string[]): string[] {
  const dots = new Set(all.filter((label) => label.startsWith(".")));
  return [...dots].sort((a, b) => Number(b.slice(1)) - Number(a.slice(1)));
}

const einsum: ShapeFn = (args) => {
  const tensors = args.tensors("tensors");
  const [left = "", right] = args.text("equation").replaceAll(" ", "").split("->");
  const terms = left.split(",");
  if (terms.length !== tensors.length) return unsupportedOp("its equation has another number of operands");
  const labels = terms.map((term, at) => labelsOf(term, tensors[at]!.dims.length));
  const sizes = new Map<string, Dim>();
  for (const [at, own] of labels.entries()) {
    for (const [axis, label] of own.entries()) {
      const [known, size] = [sizes.get(label) ?? 1, tensors[at]!.dims[axis]!];
      if (known !== 1 && size !== 1) requireSame(known, size);
      if (known === 1) sizes.set(label, size);
    }
  }
  const all = labels.flat();
  const dots = dotsOf(all);
  const [head = "", tail] = right?.split("...") ?? [];
  const result =
    right === undefined ? impliedLabels(all) : [...head, ...(tail === undefined ? [] : [...dots, ...tail])];
  return tensorType(
    promotedList(tensors),
    result.map((label) => sizes.get(label) ?? unsupportedOp("an unknown label")),
  );
};

const outer: ShapeFn = (args) =>
  tensorType(args.promoted("self", "vec2"), [args.tensor("self").dims[0]!, args.tensor("vec2").dims[0]!]);

/** Products of matrices. */
export const PRODUCTS: ShapeTable = {
  linear,
  matmul: matmul("self", "other"),
  mm: matmul("self", "mat2"),
  bmm: matmul("self", "mat2"),
  mv: matmul("self", "vec"),
  dot: matmul("self", "tensor"),
  addmm: addedProduct("mat1", "mat2"),
  baddbmm: addedProduct("batch1", "batch2"),
  outer,
  ger: outer,
  einsum,
};

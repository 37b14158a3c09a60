import { add, type Dim } from "../../graph/sym.ts";
import { countedLoops } from "../core/counted-loop.ts";
import type { Emitter } from "../core/emitter.ts";
import { withIndex } from "../core/index-check.ts";
import { all, type Lowering, type LoweringTable } from "../core/lowering.ts";
import { promoted } from "../core/promote.ts";
import { isFloat, type Val } from "../core/tensor.ts";

/**
 * aten::searchsorted.Tensor(Tensor sorted_sequence, Tensor self, *, ..., bool right=False, str? side=None, Tensor? sorter=None) -> Tensor
 * aten::searchsorted.Scalar(Tensor sorted_sequence, Scalar self, *, bool out_int32=False, bool right=False, str? side=None, Tensor? sorter=None) -> Tensor
 */
export const searchsorted: Lowering = (node, g) => {
  const isRight = node.has("side") ? node.string("side") === "right" : node.bool("right");
  const given = node.tensor("sorted_sequence");
  const sorter = node.optionalTensor("sorter");
  const axis = given.dims.length - 1;
  const sequence =
    sorter === undefined
      ? given
      : {
          ...given,
          ...withIndex(node, g, {
            use: { index: sorter, size: given.dims[axis] },
            emit: (index) => g.op("GatherElements", [given, index], { axis }),
          }),
        };
  const values = node.operand("self");
  const isShared = sequence.dims.length === 1;
  const [row, value] = promoted(g, [sequence, values]) as [Val, Val];
  const size = given.dims[axis]!;
  if (isFloat(row.dtype)) {
    return bisect(g, { row, value, isRight, size, isShared, dims: node.out().dims });
  }
  return countBefore(
    g,
    { row: isShared ? row : g.unsqueeze(row, [-2]), value, isRight },
    node.out().dims.length,
  );
};

/**
 * aten::bucketize.Tensor(Tensor self, Tensor boundaries, *, bool out_int32=False, bool right=False) -> Tensor
 * aten::bucketize.Scalar(Scalar self, Tensor boundaries, *, bool out_int32=False, bool right=False) -> Tensor
 */
export const bucketize: Lowering = (node, g) => {
  const boundaries = node.tensor("boundaries");
  const [value, row] = promoted(g, [node.operand("self"), boundaries]) as [Val, Val];
  const isRight = node.bool("right");
  const size = boundaries.dims[0]!;
  if (isFloat(row.dtype)) {
    return bisect(g, { row, value, isRight, size, isShared: true, dims: node.out().dims });
  }
  return countBefore(g, { row, value, isRight }, node.out().dims.length);
};

interface Search {
  readonly row: Val;
  readonly value: Val;
  readonly isRight: boolean;
  /** The row is 1-d; otherwise each line of values has its own. */
  readonly isShared: boolean;
}

interface Bisection extends Search {
  readonly size: Dim;
  readonly dims: readonly Dim[];
}

/**
 * PyTorch's binary search, step by step: in a row with NaN its answer depends on the elements that it looks at (at::native
 * cus_lower_bound).
 */
export function bisect(g: Emitter, search: Bisection): Val {
  const { size, dims } = search;
  const bounds: readonly [Val, Val] = [
    g.expand(g.scalar("int64", 0), dims),
    g.expand(g.number(size, "int64"), dims),
  ];
  if (typeof size !== "number") {
    const count = g.cast(g.op("Ceil", [logarithm(g, g.number(add(size, 1), "float64"))]), "int64");
    return countedLoops(g, { count, initial: bounds }, (inner, _turn, soFar) =>
      halved(inner, search, soFar as [Val, Val]),
    )[0]!;
  }
  let halves = bounds;
  for (let steps = Math.ceil(Math.log2(size + 1)); steps > 0; steps--) halves = halved(g, search, halves);
  return halves[0];
}

/** To the base of 2. A row of 2^k - 1 elements may be taken for a longer one, which changes nothing. */
function logarithm(g: Emitter, value: Val): Val {
  return g.op("Div", [g.op("Log", [value]), g.scalar("float64", Math.LN2)]);
}

/** The part of the row in which the place lies, after one more look. */
function halved(
  g: Emitter,
  { row, value, isRight, isShared, size }: Bisection,
  [start, end]: readonly [Val, Val],
): readonly [Val, Val] {
  const number = (n: number): Val => g.scalar("int64", n);
  const middle = g.op("Div", [g.op("Add", [start, end]), number(2)]);
  const place = g.op("Min", [middle, g.op("Sub", [g.number(size, "int64"), number(1)])]);
  const seen = isShared
    ? g.op("Gather", [row, place], { axis: 0 })
    : g.op("GatherElements", [row, place], { axis: -1 });
  const isPast = g.op(isRight ? "Greater" : "GreaterOrEqual", [seen, value]);
  const isOpen = g.op("Less", [start, end]);
  const goesOn = g.op("And", [isOpen, g.op("Not", [isPast])]);
  return [
    g.where(goesOn, g.op("Add", [middle, number(1)]), start),
    g.where(g.op("And", [isOpen, isPast]), middle, end),
  ];
}

/** How many of a sorted row of integers come before each value; `rank` is that of the values. */
function countBefore(g: Emitter, { row, value, isRight }: Omit<Search, "isShared">, rank: number): Val {
  const [x, y] = row.dtype === "bool" ? [g.cast(row, "int32"), g.cast(value, "int32")] : [row, value];
  const isPast = g.op(isRight ? "Greater" : "GreaterOrEqual", [x, g.unsqueeze(y, [-1])]);
  const isBefore = g.cast(g.op("Not", [isPast]), "int64");
  return g.op("ReduceSum", [isBefore, g.ints([rank])], { keepdims: 0 });
}

/**
 * aten::isin.Tensor_Tensor(Tensor elements, Tensor test_elements, *, bool assume_unique=False, bool invert=False) -> Tensor
 * aten::isin.Scalar_Tensor(Scalar element, Tensor test_elements, *, bool assume_unique=False, bool invert=False) -> Tensor
 * aten::isin.Tensor_Scalar(Tensor elements, Scalar test_element, *, bool assume_unique=False, bool invert=False) -> Tensor
 */
export const isin: Lowering = (node, g) => {
  const elements = node.operand(node.has("elements") ? "elements" : "element");
  const tests = node.operand(node.has("test_elements") ? "test_elements" : "test_element");
  const [x, given] = promoted(g, [elements, tests]) as [Val, Val];
  const equal = g.op("Equal", [g.unsqueeze(x, [-1]), g.reshape(given, [-1])]);
  const hits = g.op("ReduceSum", [g.cast(equal, "int64"), g.ints([node.out().dims.length])], { keepdims: 0 });
  const isIn = g.cast(hits, "bool");
  return node.bool("invert") ? g.op("Not", [isIn]) : isIn;
};

export const SEARCHING: LoweringTable = {
  ...all("searchsorted", searchsorted, ["Tensor", "Scalar"]),
  ...all("bucketize", bucketize, ["Tensor", "Scalar"]),
  ...all("isin", isin, ["Tensor_Tensor", "Tensor_Scalar", "Scalar_Tensor"]),
};

import type { TensorType } from "../../graph/ir.ts";
import { add } from "../../graph/sym.ts";
import { unsupportedOp } from "../unsupported-op.ts";
import { axisOf, numeric, quotient, requireSame } from "./dims.ts";
import { replaced, without } from "./on-dims.ts";
import { type ShapeArgs, type ShapeFn, tensorType } from "./shape-args.ts";

const pieces =
  (sizesOf: (size: number, args: ShapeArgs) => readonly number[]): ShapeFn =>
  (args) => {
    const { dtype, dims } = args.tensor("self");
    const axis = axisOf(args.int("dim"), dims.length);
    return sizesOf(numeric(dims[axis]!), args).map((size) => tensorType(dtype, replaced(dims, axis, size)));
  };

function cut(total: number, size: number): number[] {
  if (size < 1) return unsupportedOp("it splits into pieces of no size");
  checkPieces(total / size);
  return Array.from({ length: Math.max(1, Math.ceil(total / size)) }, (_, i) =>
    Math.min(size, total - i * size),
  );
}

/** Each piece is a value of the program. */
const MAX_PIECES = 4_096;

function checkPieces(count: number): number {
  return count <= MAX_PIECES ? count : unsupportedOp(`it splits into more than ${MAX_PIECES} pieces`);
}

const fixedChunks = pieces((total, args) => cut(total, Math.ceil(total / args.int("chunks")) || 1));

/** Where the size depends on the caller, only equal pieces are known to be as many for every size. */
export const chunk: ShapeFn = (args) => {
  const { dtype, dims } = args.tensor("self");
  const axis = axisOf(args.int("dim"), dims.length);
  if (typeof dims[axis]! === "number") return fixedChunks(args);
  const count = checkPieces(args.int("chunks"));
  const part = tensorType(dtype, replaced(dims, axis, quotient(dims[axis]!, count)));
  return new Array<TensorType>(count).fill(part);
};

export const split: ShapeFn = pieces((total, args) => cut(total, args.int("split_size")));

export const splitBySizes: ShapeFn = (args) => {
  const { dtype, dims } = args.tensor("self");
  const axis = axisOf(args.int("dim"), dims.length);
  const sizes = args.sizes(args.has("split_sizes") ? "split_sizes" : "split_size");
  checkPieces(sizes.length);
  requireSame(dims[axis]!, sizes.reduce(add, 0));
  return sizes.map((size) => tensorType(dtype, replaced(dims, axis, size)));
};

export const unbind: ShapeFn = (args) => {
  const { dtype, dims } = args.tensor("self");
  const axis = axisOf(args.int("dim"), dims.length);
  const part = tensorType(dtype, without(dims, axis));
  return new Array<TensorType>(checkPieces(numeric(dims[axis]!))).fill(part);
};

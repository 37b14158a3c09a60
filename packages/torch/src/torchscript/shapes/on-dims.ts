import type { Dim } from "../../graph/sym.ts";
import { type ShapeArgs, type ShapeFn, tensorType } from "./shape-args.ts";

/** A function of self's shape alone: the dtype stays. */
export const onDims =
  (next: (dims: readonly Dim[], args: ShapeArgs) => readonly Dim[]): ShapeFn =>
  (args) => {
    const { dtype, dims } = args.tensor("self");
    return tensorType(dtype, next(dims, args));
  };

/** The dims with another size along one axis. */
export const replaced = (dims: readonly Dim[], axis: number, size: Dim): Dim[] =>
  dims.map((dim, at) => (at === axis ? size : dim));

/** The dims without one of them. */
export const without = (dims: readonly Dim[], axis: number): Dim[] => dims.filter((_, at) => at !== axis);

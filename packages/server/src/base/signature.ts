import type { Datatype } from "./tensor.ts";

/** A dimension that a request chooses. `symbol` names it across tensors: equal symbols must have equal sizes in one request. */
export interface VariableDim {
  readonly symbol: string;
  readonly min: number;
  /** Undefined: no upper bound was declared. */
  readonly max: number | undefined;
  /** The size must be a multiple of this; 1 when free. */
  readonly multipleOf?: number;
  /** A size that the guards allow, where they bind this dimension. */
  readonly example?: number;
}

export type Dim = number | VariableDim;

/** What the values of a tensor may be, both ends included; both are 32-bit integers. */
export interface IndexRange {
  readonly min: number;
  readonly max: number;
}

export interface TensorSpec {
  readonly name: string;
  /** Other names that requests may use for it; none is the name, or another name, of a second input (or output). */
  readonly aliases?: readonly string[];
  readonly datatype: Datatype;
  readonly dims: readonly Dim[];
  /** The file does not fix how many dimensions it has: `dims` are those of an example, or none. */
  readonly isRankFree?: boolean;
  /** The shape that clients see in place of `dims`, −1 for a size that requests choose; undefined: `dims` themselves. */
  readonly wireDims?: readonly number[];
  /** Of a BYTES tensor: how long one element may be; undefined: as long as the server allows for text. */
  readonly maxElementBytes?: number;
  /** For an input whose every element picks a row of something: which rows there are. Requests with others are rejected. */
  readonly indices?: IndexRange;
}

/** A condition on the inputs of a request that the program was exported under, beyond the ranges of its dimensions. */
export interface SizeGuard {
  /** As code: `x.shape[1] % 2 == 0`. */
  readonly text: string;
  /** As a sentence: `dimension 1 of input "x" must be a multiple of 2`. */
  readonly requirement: string;
  readonly condition: GuardCondition;
  /** Symbols of dimensions whose growth may break it: rows cannot be added up there, and they cannot be padded. */
  readonly fixes: readonly string[];
}

/**
 * Arithmetic over the sizes of dimensions, by their symbols, and the values of inputs without dimensions. It is Python's: comparisons
 * give 1 or 0, `round` goes to the even neighbour, and a division by zero makes the guard fail.
 */
export type GuardCondition =
  | number
  | { readonly op: "size"; readonly symbol: string }
  | { readonly op: "value"; readonly input: string }
  | { readonly op: GuardOp; readonly args: readonly GuardCondition[] };

/** Operations of guards, each once. */
export const GUARD_OPS = [
  "add",
  "sub",
  "mul",
  "truediv",
  "floordiv",
  "mod",
  "pow",
  "max",
  "min",
  "abs",
  "floor",
  "ceil",
  "trunc",
  "round",
  "sqrt",
  "log2",
  "bitand",
  "bitor",
  "bitxor",
  "eq",
  "ne",
  "lt",
  "le",
  "gt",
  "ge",
  "and",
  "or",
  "not",
  "ite",
] as const;

export type GuardOp = (typeof GUARD_OPS)[number];

/** Whether requests of different clients may share one run, and if not, why (in words for the user). */
export type Batching =
  | { readonly kind: "on"; readonly symbol: string; readonly maxRows: number | undefined }
  | { readonly kind: "off"; readonly reason: string };

/** An output that the next request of a sequence finds in an input. */
export interface StatePair {
  readonly input: string;
  readonly output: string;
}

/** What a model takes and gives. */
export interface Signature {
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  readonly batching: Batching;
  /**
   * That sizes of one symbol are equal, and what outputs look like, is what the file claims, and nobody holds the model to it: requests
   * that differ run alone, and what the model answers counts.
   */
  readonly areSizesClaimed?: boolean;
  /** What the program itself keeps from call to call; undefined: nothing. */
  readonly state?: readonly StatePair[];
  /** Undefined or empty: none. */
  readonly guards?: readonly SizeGuard[];
}

/** Which dimension of a tensor its rows lie along, in a model that batches along `symbol`. */
export function rowAxis({ dims }: Pick<TensorSpec, "dims">, symbol: string): number {
  return Math.max(
    0,
    dims.findIndex((dim) => typeof dim !== "number" && dim.symbol === symbol),
  );
}

/** A small size that the dimension and the guards allow. */
export function exampleSize(dim: Dim): number {
  return typeof dim === "number" ? dim : (dim.example ?? Math.max(1, dim.min));
}

/** A dimension in OIP metadata: its size, or −1 when a request chooses it. */
export function wireShape(spec: TensorSpec): number[] {
  return spec.wireDims === undefined ? modelShape(spec) : [...spec.wireDims];
}

/** The same for the shape that the model itself has. */
export function modelShape(spec: TensorSpec): number[] {
  return spec.dims.map((dim) => (typeof dim === "number" ? dim : dim.min === dim.max ? dim.min : -1));
}

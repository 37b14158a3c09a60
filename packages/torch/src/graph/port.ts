import type { DType } from "../dtype.ts";
import type { GuardOp } from "./guard.ts";

/** A size that the caller chooses; equal symbols are equal sizes. */
export interface SymbolicDim {
  readonly symbol: string;
  readonly min: number;
  readonly max: number | undefined;
  readonly multipleOf?: number;
  /** A size that the program's guards allow, where they bind this dimension: the one it was exported with. */
  readonly example?: number;
}

/** A condition on the inputs of a program beyond the ranges of their sizes; where it fails, PyTorch raises. */
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
 * give 1 or 0, and a division by zero makes the guard fail.
 */
export type GuardCondition =
  | number
  | { readonly op: "size"; readonly symbol: string }
  | { readonly op: "value"; readonly input: string }
  | { readonly op: GuardOp; readonly args: readonly GuardCondition[] };

/** What the values of a tensor may be, both ends included. */
export interface IndexRange {
  readonly min: number;
  readonly max: number;
}

/** An input or output of a program under the name a user sees. */
export interface Port {
  readonly name: string;
  /** Other names that callers may use: torch.export writes names in lower case where those of the program are not. */
  readonly aliases?: readonly string[];
  /** The type that the ONNX model has here. */
  readonly dtype: DType;
  /** The program's own type where that is another one: ONNX Runtime exchanges no bfloat16 with JavaScript. */
  readonly declared?: DType;
  readonly dims: readonly (number | SymbolicDim)[];
  /** For an input whose every element is an index: PyTorch raises for one outside. */
  readonly indices?: IndexRange;
}

/** An example input that is stored with a program. */
export interface SampleTensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

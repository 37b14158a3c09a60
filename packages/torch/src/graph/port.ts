import type { DType } from "../dtype.ts";

/** A size that the caller chooses; equal symbols are equal sizes. */
export interface SymbolicDim {
  readonly symbol: string;
  readonly min: number;
  readonly max: number | undefined;
  readonly multipleOf?: number;
}

/** What the values of a tensor may be, both ends included. */
export interface IndexRange {
  readonly min: number;
  readonly max: number;
}

/** An input or output of a program under the name a user sees. */
export interface Port {
  readonly name: string;
  readonly dtype: DType;
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

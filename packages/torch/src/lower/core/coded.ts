import type { StoredTensor } from "../../archive/stored-tensor.ts";
import type { Tensor, Val } from "./tensor.ts";

/** What floats were made of: float = (code − zero) · scale. Ops that can take codes find it by the name of the float value. */
export interface Coded {
  readonly codes: Tensor;
  /** float32: one number; one for every index of `axis`; or [rows, groups], each for `groupSize` elements of a row. */
  readonly scale: Val;
  /** Of the dtype of the codes, shaped like `scale`; undefined: 0. */
  readonly zero: Val | undefined;
  /** The numbers of `scale`, where the program says them. */
  readonly scales?: readonly number[] | undefined;
  readonly axis?: number;
  readonly groupSize?: number;
  /** The codes as the file has them, where they are a weight of it; undefined for calculated ones. */
  readonly stored?: StoredCodes;
}

export interface StoredCodes {
  readonly name: string;
  readonly tensor: StoredTensor;
  /** Of groups, in row-major order; undefined: all are 0. */
  readonly zeros?: readonly number[] | undefined;
  /** The codes are the stored matrix turned over. */
  readonly isTransposed: boolean;
}

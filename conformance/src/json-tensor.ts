/** A tensor as it stands in the JSON of the Open Inference Protocol. */
export interface JsonTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly datatype: string;
  /** In row-major order. */
  readonly data: readonly number[];
}

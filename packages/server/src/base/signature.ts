import type { Datatype } from "./tensor.ts";

/** A dimension that a request chooses. `symbol` names it across tensors: equal symbols must have equal sizes in one request. */
export interface VariableDim {
  readonly symbol: string;
  readonly min: number;
  /** Undefined: no upper bound was declared. */
  readonly max: number | undefined;
  /** The size must be a multiple of this; 1 when free. */
  readonly multipleOf?: number;
}

export type Dim = number | VariableDim;

/** What the values of a tensor may be, both ends included; both are 32-bit integers. */
export interface IndexRange {
  readonly min: number;
  readonly max: number;
}

export interface TensorSpec {
  readonly name: string;
  readonly datatype: Datatype;
  readonly dims: readonly Dim[];
  /** For an input whose every element picks a row of something: which rows there are. Requests with others are rejected. */
  readonly indices?: IndexRange;
}

/** Whether requests of different clients may share one run, and if not, why (in words for the user). */
export type Batching =
  | { readonly kind: "on"; readonly symbol: string; readonly maxRows: number | undefined }
  | { readonly kind: "off"; readonly reason: string };

/** What a model takes and gives. */
export interface Signature {
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  readonly batching: Batching;
}

/** A dimension in OIP metadata: its size, or −1 when a request chooses it. */
export function wireShape(spec: TensorSpec): number[] {
  return spec.dims.map((dim) => (typeof dim === "number" ? dim : -1));
}

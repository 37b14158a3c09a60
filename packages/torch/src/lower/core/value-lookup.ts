import type { ValueType } from "../../graph/ir.ts";
import type { ComplexTensor, Tensor } from "./tensor.ts";

/** Where a lowering finds the program's values. */
export interface ValueLookup {
  typeOf(name: string): ValueType | undefined;
  /** Whether a node or an output of the graph takes this value. */
  isUsed(name: string): boolean;
  /** Whether the file holds its values: a parameter, a buffer, a constant. */
  isWeight(name: string): boolean;
  /** The name that a user knows it by, such as "encoder.wte.weight"; undefined for what is not a weight. */
  weightName(name: string): string | undefined;
  /** Refuses the op when the value is complex. */
  tensor(name: string): Tensor;
  complex(name: string): ComplexTensor;
}

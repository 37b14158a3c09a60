import type { ValueType, Weight } from "../../graph/ir.ts";
import type { ComplexTensor, Tensor } from "./tensor.ts";

/** Where a lowering finds the program's values. */
export interface ValueLookup {
  typeOf(name: string): ValueType | undefined;
  /** Whether a node or an output of the graph takes this value. */
  isUsed(name: string): boolean;
  /** The tensor of the file that it is: a parameter, a buffer, a constant; undefined for what is calculated. */
  weight(name: string): Weight | undefined;
  /** Refuses the op when the value is complex. */
  tensor(name: string): Tensor;
  complex(name: string): ComplexTensor;
}

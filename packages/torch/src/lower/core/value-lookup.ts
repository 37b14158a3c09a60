import type { Node, ValueType, Weight } from "../../graph/ir.ts";
import type { ComplexTensor, Tensor } from "./tensor.ts";

/** Where a lowering finds the program's values. */
export interface ValueLookup {
  typeOf(name: string): ValueType | undefined;
  /** Whether a node or an output of the graph takes this value. */
  isUsed(name: string): boolean;
  /** The node that takes this value, where it is the only one and the value is no result of the graph. */
  onlyReader(name: string): Node | undefined;
  /** The tensor of the file that it is: a parameter, a buffer, a constant; undefined for what is calculated. */
  weight(name: string): Weight | undefined;
  /** Refuses the op when the value is complex. */
  tensor(name: string): Tensor;
  complex(name: string): ComplexTensor;
}

import type { Datatype } from "./tensor.ts";

/** An input or output as the settings of another server describe it. */
export interface DeclaredPort {
  readonly name: string;
  readonly datatype: Datatype;
  /** As clients see it, without the batch; −1: a request chooses it. */
  readonly dims: readonly number[];
  /** What the model itself has in place of `dims`; undefined: the same. */
  readonly shape?: readonly number[];
}

/** What the settings of another server say of a model's inputs and outputs: plain data that goes to workers. */
export interface DeclaredPorts {
  /** Name of the file, for messages. */
  readonly source: string;
  /** Every shape has one more dimension in front, the batch, which requests choose. */
  readonly isBatched: boolean;
  /** Empty: nothing is said. */
  readonly inputs: readonly DeclaredPort[];
  /** Empty: all there are; otherwise answers hold no other. */
  readonly outputs: readonly DeclaredPort[];
}

import type { Datatype } from "./tensor.ts";

/** What a model of Triton's is told of a request's place in its sequence. */
export const CONTROL_KINDS = ["START", "END", "READY", "CORRID"] as const;
export type ControlKind = (typeof CONTROL_KINDS)[number];

/** An input that no request brings: it says what `kind` asks. */
export interface SequenceControl {
  readonly input: string;
  readonly kind: ControlKind;
  /** Of `CORRID` its own; of the others that of `no` and `yes`. */
  readonly datatype: Datatype;
  /** One element each; of `CORRID` neither counts. */
  readonly no: number;
  readonly yes: number;
}

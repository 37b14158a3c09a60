import type { TensorValue } from "./tensor-values.ts";

/** One way to fill an input of a model. */
export interface InputField {
  readonly view: HTMLElement;
  /** Throws an `Error` that says what is to be mended. */
  read(): TensorValue;
  /** Fills it with something that the model takes. */
  fillSample(): void;
  /** Shows what another field holds. */
  show?(value: TensorValue): void;
}

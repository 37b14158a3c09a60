import { imageInput, imageLayout } from "./image-input.ts";
import { jsonInput } from "./json-input.ts";
import type { TensorPort } from "./server-api.ts";
import type { TensorValue } from "./tensor-values.ts";
import { isTextPort, textInput } from "./text-input.ts";

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

/** The fields that suit an input, the handiest first; JSON suits all. `changed`: what they hold is another. */
export function fieldsFor(
  port: TensorPort,
  changed: () => void,
): readonly (readonly [title: string, field: InputField])[] {
  const layout = imageLayout(port);
  return [
    ...(layout === undefined ? [] : [["Draw or drop", imageInput(port, layout, changed)] as const]),
    ...(isTextPort(port) ? [["Text", textInput(port, changed)] as const] : []),
    ["JSON", jsonInput(port, changed)],
  ];
}

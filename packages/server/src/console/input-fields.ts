import { imageInput, imageLayout } from "./image-input.ts";
import type { InputField } from "./input-field.ts";
import { jsonInput } from "./json-input.ts";
import type { TensorPort } from "./server-api.ts";
import { isTextPort, textInput } from "./text-input.ts";

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

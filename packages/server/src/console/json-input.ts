import { element } from "./element.ts";
import type { InputField } from "./input-field.ts";
import type { TensorPort } from "./server-api.ts";
import { exampleTensor, readNested, showNested } from "./tensor-values.ts";

/** Longer ones are shown, and slow a page down. */
const MAX_SHOWN = 200_000;

/** Nested lists, as they are. */
export function jsonInput(port: TensorPort, changed: () => void): InputField {
  const area = element("textarea", {
    rows: 9,
    spellcheck: "false",
    "aria-label": `${port.name} as JSON`,
    oninput: changed,
  });
  const show = (text: string): void => {
    area.value = text.length > MAX_SHOWN ? "" : text;
    area.placeholder = text.length > MAX_SHOWN ? "too long to be shown; paste lists here" : "";
  };
  const fillSample = (): void => show(showNested(exampleTensor(port)));
  fillSample();
  return {
    view: area,
    read: () => readNested(area.value, port),
    fillSample() {
      fillSample();
      changed();
    },
    show: (value) => show(showNested(value)),
  };
}

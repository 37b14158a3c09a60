import { element } from "./element.ts";
import type { InputField } from "./input-field.ts";
import type { TensorPort } from "./server-api.ts";

/** Texts of one dimension that requests choose, with nothing beside it. */
export function isTextPort({ datatype, shape }: TensorPort): boolean {
  return datatype === "BYTES" && shape.slice(1).every((size) => size === 1 || size === -1);
}

const SAMPLE = "the quick brown fox jumps over the lazy dog";

/** Texts, one a line. */
export function textInput(port: TensorPort, changed: () => void): InputField {
  const area = element("textarea", {
    rows: 5,
    "aria-label": `${port.name}, one text a line`,
    placeholder: "one text a line",
    oninput: changed,
  });
  area.value = SAMPLE;
  return {
    view: area,
    read() {
      const data = area.value.split("\n").filter((line) => line !== "");
      if (data.length === 0) throw new Error(`${port.name}: type a text`);
      return { shape: port.shape.map((_, i) => (i === 0 ? data.length : 1)), data };
    },
    fillSample() {
      area.value = SAMPLE;
      changed();
    },
  };
}

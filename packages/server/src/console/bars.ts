import { element } from "./element.ts";

export interface ScoreBar {
  readonly label: string;
  /** Share of the longest, 0 to 1. */
  readonly share: number;
  readonly text: string;
}

/** Values as horizontal bars, each a row that is read as its label and its value. */
export function barList(caption: string, bars: readonly ScoreBar[]): HTMLElement {
  const rows = bars.map(({ label, share, text }, i) => {
    const fill = element("span", { class: "fill" });
    fill.style.inlineSize = `${(Math.max(0, Math.min(1, share)) * 100).toFixed(1)}%`;
    return element(
      "tr",
      { class: i === 0 ? "first" : undefined },
      element("th", { scope: "row", title: label }, label),
      element("td", { class: "track" }, fill),
      element("td", { class: "number" }, text),
    );
  });
  const head = element(
    "tr",
    {},
    element("th", { scope: "col" }, "label"),
    element("td", {}),
    element("th", { scope: "col" }, "value"),
  );
  return element(
    "table",
    { class: "bars" },
    element("caption", {}, caption),
    element("thead", { class: "unseen" }, head),
    element("tbody", {}, ...rows),
  );
}

import { barList } from "./bars.ts";
import { element } from "./element.ts";
import type { OutputTensor } from "./server-api.ts";

/** So many of the likeliest are shown as bars. */
const MAX_BARS = 10;
const MAX_ROWS = 20;
const MAX_COLUMNS = 12;
const DIGITS = 4;
/** What the shares of a whole may lack of it. */
const ROUNDING = 1e-3;

/** The label of an output's place, where the server knows it. */
export type LabelOf = (index: number) => string | undefined;

/** An output as people read it: scores as bars, one value or text large, anything else as a table. */
export function outputView(output: OutputTensor, labelOf: LabelOf): HTMLElement {
  const { name, datatype, shape, data } = output;
  const title = element(
    "h4",
    {},
    element("span", {}, name),
    element("code", {}, `${datatype} [${shape.join(", ")}]`),
  );
  return element("div", { class: "output" }, title, body(output, labelOf, data.length));
}

function body(output: OutputTensor, labelOf: LabelOf, count: number): HTMLElement {
  const { datatype, data } = output;
  if (count === 0) return element("p", {}, "no elements");
  if (count === 1) return element("p", { class: "single" }, String(data[0]));
  if (isScores(output)) return scoreBars(output, labelOf);
  if (datatype === "BYTES" && count <= MAX_ROWS) {
    return element("ul", { class: "texts" }, ...data.map((text) => element("li", {}, String(text))));
  }
  return table(output);
}

/** One row of numbers with fractions: something for each of several labels. */
export function isScores({ datatype, shape, data }: OutputTensor): boolean {
  const isRow = shape.slice(0, -1).every((size) => size === 1);
  return /^(FP|BF)/.test(datatype) && isRow && data.length > 1 && data.length <= 100_000;
}

function scoreBars({ data }: OutputTensor, labelOf: LabelOf): HTMLElement {
  const values = data.map((value) => (typeof value === "number" ? value : Number.NaN));
  const order = [...values.keys()].sort((a, b) => values[b]! - values[a]!).slice(0, MAX_BARS);
  const top = values[order[0]!]!;
  const least = Math.min(0, ...order.map((i) => values[i]!));
  const isShare = values.every((value) => value >= 0 && value <= 1);
  const sum = values.reduce((whole, value) => whole + value, 0);
  const areParts = isShare && Math.abs(sum - 1) < ROUNDING;
  const bars = order.map((i) => {
    const value = values[i]!;
    const share = isShare ? value : top === least ? 0 : (value - least) / (top - least);
    return { label: labelOf(i) ?? String(i), share, text: areParts ? percent(value) : show(value) };
  });
  const rest =
    data.length > MAX_BARS
      ? `the ${MAX_BARS} highest of ${data.length}`
      : `all ${data.length}, the highest first`;
  return barList(rest, bars);
}

/** Of a whole that is divided among the labels. */
function percent(value: number): string {
  const text = (value * 100).toFixed(2);
  return value > 0 && text === "0.00" ? "< 0.01 %" : `${text} %`;
}

function show(value: number | string | boolean | null): string {
  if (typeof value !== "number" || Number.isInteger(value)) return String(value);
  const size = Math.abs(value);
  return size !== 0 && (size < 1e-4 || size >= 1e6) ? value.toExponential(2) : value.toFixed(DIGITS);
}

/** The first rows and columns; the last dimension goes across. */
function table({ name, shape, data }: OutputTensor): HTMLElement {
  const across = shape.at(-1) ?? 1;
  const rows = Math.ceil(data.length / Math.max(1, across));
  const columns = Math.min(across, MAX_COLUMNS);
  const shownRows = Math.min(rows, MAX_ROWS);
  const body = Array.from({ length: shownRows }, (_, row) =>
    element(
      "tr",
      {},
      element("th", { scope: "row" }, placeOf(row, shape.slice(0, -1))),
      ...Array.from({ length: columns }, (_, column) =>
        element("td", { class: "number" }, show(data[row * across + column] ?? null)),
      ),
    ),
  );
  const isCut = columns < across || shownRows < rows;
  const caption = isCut
    ? `rows 0–${shownRows - 1} of ${rows}, columns 0–${columns - 1} of ${across}`
    : "all elements";
  return element(
    "div",
    { class: "scroll", tabindex: 0, role: "group", "aria-label": `${name}, a table` },
    element("table", { class: "tensor" }, element("caption", {}, caption), element("tbody", {}, ...body)),
  );
}

/** `1, 3` of the row 8 where the sizes before the last are [2, 5]. */
function placeOf(row: number, sizes: readonly number[]): string {
  const place: number[] = [];
  let rest = row;
  for (const size of sizes.toReversed()) {
    place.unshift(rest % size);
    rest = Math.floor(rest / size);
  }
  return place.join(", ");
}

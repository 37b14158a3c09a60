import { drawing, element } from "./element.ts";

/** One line, or one layer of a stack. */
export interface ChartLine {
  readonly name: string;
  /** Of the colours of look.css. */
  readonly colour: string;
  /** The oldest first; NaN where there is nothing to show. */
  readonly values: readonly number[];
}

export interface ChartOptions {
  readonly title: string;
  readonly unit: string;
  /** Layers upon each other in place of lines. */
  readonly isStacked?: boolean;
  /** So many values fill it. */
  readonly places: number;
  readonly digits?: number;
}

export interface Chart {
  readonly view: HTMLElement;
  draw(lines: readonly ChartLine[]): void;
}

const WIDTH = 600;
const HEIGHT = 140;

/** A chart over time, the latest value at the right. What it shows last is in words beside it. */
export function chart({ title, unit, isStacked = false, places, digits = 0 }: ChartOptions): Chart {
  const picture = drawing("svg", {
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
    preserveAspectRatio: "none",
    role: "img",
    "aria-label": title,
  });
  const top = element("span", { class: "top", "aria-hidden": "true" });
  const legend = element("ul", { class: "legend" });
  const heading = element("h2", {}, title, element("span", { class: "unit" }, unit));
  const view = element(
    "section",
    { class: "card chart", "aria-label": title },
    heading,
    element("div", { class: "plot" }, picture, top),
    legend,
  );
  return {
    view,
    draw(lines) {
      const layers = isStacked ? stacked(lines) : lines;
      const peak = niceAbove(Math.max(0, ...layers.flatMap(({ values }) => values.filter(Number.isFinite))));
      const x = (i: number, count: number): number => WIDTH - ((count - 1 - i) / (places - 1)) * WIDTH;
      const y = (value: number): number => HEIGHT - (value / peak) * (HEIGHT - 2) - 1;
      // The highest layer is drawn first, the others over it.
      const shapes = layers.toReversed().map(({ colour, values }) => {
        const path = pathOf(values, x, y);
        return isStacked
          ? drawing("path", { d: area(values, path, x), class: `area fill-${colour}` })
          : drawing("path", { d: path, class: `line stroke-${colour}` });
      });
      picture.replaceChildren(...gridLines(), ...shapes);
      top.textContent = peak.toLocaleString("en");
      const latest = lines.map(
        ({ name, values }) => [name, show(values.at(-1) ?? Number.NaN, digits)] as const,
      );
      legend.replaceChildren(...lines.map(({ name, colour }, i) => legendItem(name, colour, latest[i]![1])));
      picture.setAttribute(
        "aria-label",
        `${title}, now: ${latest.map(([name, text]) => `${name} ${text}`).join(", ")} ${unit}`,
      );
    },
  };
}

function legendItem(name: string, colour: string, text: string): HTMLElement {
  return element(
    "li",
    {},
    element("span", { class: `swatch back-${colour}`, "aria-hidden": "true" }),
    element("span", {}, name),
    element("b", {}, text),
  );
}

function gridLines(): SVGElement[] {
  return [1, HEIGHT / 2, HEIGHT - 1].map((y) => drawing("path", { d: `M0 ${y}H${WIDTH}`, class: "grid" }));
}

type Scale = (i: number, count: number) => number;

function pathOf(values: readonly number[], x: Scale, y: (value: number) => number): string {
  let path = "";
  let isDown = false;
  for (const [i, value] of values.entries()) {
    if (!Number.isFinite(value)) {
      isDown = false;
      continue;
    }
    path += `${isDown ? "L" : "M"}${x(i, values.length).toFixed(1)} ${y(value).toFixed(1)}`;
    // A value with nothing beside it is a dot.
    if (!isDown && !Number.isFinite(values[i + 1] ?? Number.NaN)) path += "h0.1";
    isDown = true;
  }
  return path;
}

function area(values: readonly number[], path: string, x: Scale): string {
  if (path === "") return "";
  const first = x(0, values.length).toFixed(1);
  return `${path}V${HEIGHT}H${first}Z`;
}

/** Each layer with those below it. */
function stacked(lines: readonly ChartLine[]): ChartLine[] {
  const sums: number[] = [];
  return lines.map((line) => {
    const values = line.values.map((value, i) => {
      sums[i] = (sums[i] ?? 0) + (Number.isFinite(value) ? value : 0);
      return sums[i]!;
    });
    return { ...line, values };
  });
}

const STEPS: readonly number[] = [1, 2, 2.5, 5, 10];

/** A round number that is at least `value`. */
function niceAbove(value: number): number {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return power * STEPS.find((step) => step * power >= value)!; // 10 is enough
}

function show(value: number, digits: number): string {
  if (!Number.isFinite(value)) return "–";
  return value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

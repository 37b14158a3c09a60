/** A line of a plot, from point to point; `text` is shown where the pointer rests on one. */
export interface Line {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number, text?: string])[];
}

export interface PlotOptions {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  /** Texts for places of the x axis; default: round numbers. */
  readonly xTicks?: readonly (readonly [x: number, text: string])[];
}

const WIDTH = 640;
const HEIGHT = 320;
const LEFT = 64;
const BOTTOM = 48;
const TOP = 32;
const RIGHT = 140;
/** Each stands out from white and from a dark page alike. */
const COLORS = ["#2b7bba", "#d1483a", "#2f9e63", "#9b59b6", "#b9770e", "#1795a5", "#c2568f", "#8a8a8a"];
/** On an axis, about. */
const TICKS = 4;
const ROUND_STEPS = [1, 2, 2.5, 5, 10];

/** Lines over two linear axes that begin at 0, as a heading and SVG. */
export function linePlot(lines: readonly Line[], { title, xLabel, yLabel, xTicks }: PlotOptions): string {
  const points = lines.flatMap((line) => line.points);
  const acrossAxis = roundTicks(Math.max(...points.map(([x]) => x), 1e-9));
  const maxX = xTicks === undefined ? acrossAxis.at(-1)! : Math.max(...points.map(([x]) => x), 1e-9);
  const upAxis = roundTicks(Math.max(...points.map(([, y]) => y), 1e-9));
  const maxY = upAxis.at(-1)!;
  const x = (value: number): number => LEFT + (value / maxX) * (WIDTH - LEFT - RIGHT);
  const y = (value: number): number => HEIGHT - BOTTOM - (value / maxY) * (HEIGHT - BOTTOM - TOP);
  const drawn = lines.map((line, i) => {
    const color = COLORS[i % COLORS.length]!;
    const path = line.points.map(([px, py]) => `${x(px).toFixed(1)},${y(py).toFixed(1)}`).join(" ");
    const dots = line.points.map(
      ([px, py, text = ""]) =>
        `<circle cx="${x(px).toFixed(1)}" cy="${y(py).toFixed(1)}" r="3" fill="${color}"><title>${escapeMarkup(`${text || line.name}: ${short(py)}`)}</title></circle>`,
    );
    return `<polyline points="${path}" fill="none" stroke="${color}" stroke-width="2"/>${dots.join("")}${legend(line.name, i)}`;
  });
  const ticks = xTicks ?? acrossAxis.map((value) => [value, short(value)] as const);
  return svg(title, [
    ...yAxis(upAxis, y),
    ...ticks.map(([at, text]) => label(text, x(at), HEIGHT - BOTTOM + 16, "middle")),
    ...axisLabels(xLabel, yLabel),
    ...drawn,
  ]);
}

/** A bar of stacked parts, bottom first. */
export interface Bar {
  readonly name: string;
  readonly parts: readonly (readonly [name: string, value: number])[];
}

/** Stacked bars, as a heading and SVG. Every bar has the same parts in the same order. */
export function barPlot(bars: readonly Bar[], { title, xLabel, yLabel }: PlotOptions): string {
  const totals = bars.map(({ parts }) => parts.reduce((sum, [, value]) => sum + value, 0));
  const upAxis = roundTicks(Math.max(...totals, 1e-9));
  const maxY = upAxis.at(-1)!;
  const y = (value: number): number => HEIGHT - BOTTOM - (value / maxY) * (HEIGHT - BOTTOM - TOP);
  const step = (WIDTH - LEFT - RIGHT) / Math.max(1, bars.length);
  const drawn = bars.flatMap(({ name, parts }, i) => {
    let below = 0;
    const left = LEFT + step * (i + 0.2);
    const boxes = parts.map(([part, value], k) => {
      const top = y(below + value);
      const box = `<rect x="${left.toFixed(1)}" y="${top.toFixed(1)}" width="${(step * 0.6).toFixed(1)}" height="${(y(below) - top).toFixed(1)}" fill="${COLORS[k % COLORS.length]}"><title>${escapeMarkup(`${part}: ${short(value)}`)}</title></rect>`;
      below += value;
      return box;
    });
    return [...boxes, label(name, left + step * 0.3, HEIGHT - BOTTOM + 16, "middle")];
  });
  const names = bars[0]?.parts.map(([part], i) => legend(part, i)) ?? [];
  return svg(title, [...yAxis(upAxis, y), ...axisLabels(xLabel, yLabel), ...drawn, ...names]);
}

/** Text that cannot be read as markup. */
export function escapeMarkup(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}

function svg(title: string, content: readonly string[]): string {
  const name = escapeMarkup(title);
  return `<h2>${name}</h2>\n<figure tabindex="0" aria-label="${name}"><svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${name}">${content.join("")}</svg></figure>`;
}

/** From 0 to what is the least round number that is not below `most`. */
function roundTicks(most: number): readonly number[] {
  const wish = most / TICKS;
  const power = 10 ** Math.floor(Math.log10(wish));
  const step = power * (ROUND_STEPS.find((one) => one * power >= wish) ?? 10);
  const count = Math.ceil(most / step - 1e-9);
  return Array.from({ length: count + 1 }, (_, i) => i * step);
}

function yAxis(ticks: readonly number[], y: (value: number) => number): string[] {
  return ticks.map((value) => {
    const at = y(value).toFixed(1);
    return `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${at}" y2="${at}" class="grid"/>${label(short(value), LEFT - 6, y(value) + 4, "end")}`;
  });
}

function axisLabels(xLabel: string, yLabel: string): string[] {
  return [
    label(xLabel, (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, "middle"),
    label(yLabel, 4, TOP - 2, "start"),
  ];
}

function legend(name: string, i: number): string {
  const at = TOP + 12 + i * 18;
  return `<rect x="${WIDTH - RIGHT + 12}" y="${at - 9}" width="10" height="10" fill="${COLORS[i % COLORS.length]}"/>${label(name, WIDTH - RIGHT + 28, at, "start")}`;
}

function label(text: string, x: number, y: number, anchor: "start" | "middle" | "end"): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}">${escapeMarkup(text)}</text>`;
}

function short(value: number): string {
  return value === 0 ? "0" : value >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
}

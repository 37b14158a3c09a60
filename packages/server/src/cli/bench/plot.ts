/** A line of a plot; points in ascending order of x. */
export interface Line {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

export interface PlotOptions {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  /** Texts for places of the x axis; default: its ends and middle. */
  readonly xTicks?: readonly (readonly [x: number, text: string])[];
}

const WIDTH = 640;
const HEIGHT = 320;
const LEFT = 64;
const BOTTOM = 48;
const TOP = 32;
const RIGHT = 140;
const COLORS = ["#0b62a4", "#c0392b", "#2e8b57", "#8e44ad", "#b9770e", "#117a8b", "#555555", "#c9c9c9"];
const Y_TICKS = 4;

/** Lines over two linear axes that begin at 0, as SVG. */
export function linePlot(lines: readonly Line[], { title, xLabel, yLabel, xTicks }: PlotOptions): string {
  const points = lines.flatMap((line) => line.points);
  const maxX = Math.max(...points.map(([x]) => x), 1e-9);
  const maxY = Math.max(...points.map(([, y]) => y), 1e-9);
  const x = (value: number): number => LEFT + (value / maxX) * (WIDTH - LEFT - RIGHT);
  const y = (value: number): number => HEIGHT - BOTTOM - (value / maxY) * (HEIGHT - BOTTOM - TOP);
  const drawn = lines.map((line, i) => {
    const color = COLORS[i % COLORS.length]!;
    const path = line.points.map(([px, py]) => `${x(px).toFixed(1)},${y(py).toFixed(1)}`).join(" ");
    const dots = line.points.map(
      ([px, py]) => `<circle cx="${x(px).toFixed(1)}" cy="${y(py).toFixed(1)}" r="3" fill="${color}"/>`,
    );
    return `<polyline points="${path}" fill="none" stroke="${color}" stroke-width="2"/>${dots.join("")}${legend(line.name, i)}`;
  });
  const ticks = xTicks ?? [0, maxX / 2, maxX].map((value) => [value, short(value)] as const);
  return svg(title, [
    ...yAxis(maxY, y),
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

/** Stacked bars, as SVG. Every bar has the same parts in the same order. */
export function barPlot(bars: readonly Bar[], { title, xLabel, yLabel }: PlotOptions): string {
  const totals = bars.map(({ parts }) => parts.reduce((sum, [, value]) => sum + value, 0));
  const maxY = Math.max(...totals, 1e-9);
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
  return svg(title, [...yAxis(maxY, y), ...axisLabels(xLabel, yLabel), ...drawn, ...names]);
}

/** Text that cannot be read as markup. */
export function escapeMarkup(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}

function svg(title: string, content: readonly string[]): string {
  return `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escapeMarkup(title)}">${label(title, LEFT, 18, "start")}${content.join("")}</svg>`;
}

function yAxis(maxY: number, y: (value: number) => number): string[] {
  return Array.from({ length: Y_TICKS + 1 }, (_, i) => {
    const value = (maxY * i) / Y_TICKS;
    const at = y(value).toFixed(1);
    return `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${at}" y2="${at}" stroke="#ccc"/>${label(short(value), LEFT - 6, y(value) + 4, "end")}`;
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

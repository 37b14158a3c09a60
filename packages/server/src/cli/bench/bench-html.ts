import { STAGES } from "../../base/timeline.ts";
import { benchText } from "./bench-text.ts";
import { levelText } from "./load-levels.ts";
import type { Latencies, Measurement } from "./measure.ts";
import { type Bar, barPlot, escapeMarkup, type Line, linePlot } from "./plot.ts";

/** On a phone plots keep a size in which they can be read, and are moved under the finger. */
const STYLE = [
  ":root{color-scheme:light dark;--ink:#222;--paper:#fff;--box:#f4f4f4;--grid:#ccc}",
  "@media(prefers-color-scheme:dark){:root{--ink:#e6e6e6;--paper:#16181c;--box:#23262c;--grid:#4a4e57}}",
  "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:var(--ink);background:var(--paper)}",
  "pre,figure{overflow-x:auto;margin:1rem 0}pre{background:var(--box);padding:1rem;font-size:.875rem}",
  "h2{font-size:1.125rem;margin:2rem 0 0}svg{width:100%;min-width:35rem;display:block}",
  "text{font:12px system-ui,sans-serif;fill:var(--ink)}.grid{stroke:var(--grid)}",
].join("");

/** A page with the table and plots of all measurements; it loads nothing. */
export function benchHtml(head: string, measurements: readonly Measurement[]): string {
  const plots = [latencyByThroughput(measurements), percentiles(measurements), ...stages(measurements)];
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'"><title>${escapeMarkup(head)}</title><style>${STYLE}</style></head>
<body>
<main>
<h1>sconce bench</h1>
<pre tabindex="0" aria-label="All figures">${escapeMarkup(benchText(head, measurements))}</pre>
${plots.join("\n")}
</main>
</body>
</html>
`;
}

function latencyByThroughput(measurements: readonly Measurement[]): string {
  // In the order of the load: past its limit a server answers less, and the line turns back.
  const line = (name: keyof Latencies): Line => ({
    name,
    points: measurements.map(
      ({ level, perSecond, latencyMs }) =>
        [perSecond, latencyMs[name], `${levelText(level)}, ${name}`] as const,
    ),
  });
  return linePlot([line("p50"), line("p90"), line("p99")], {
    title: "Latency by throughput",
    xLabel: "answered requests per second",
    yLabel: "ms",
  });
}

/** The place of a percentile on an axis on which each further nine is as wide as the one before. */
function nines(percentile: number): number {
  return percentile >= 100 ? 4.5 : -Math.log10(1 - percentile / 100);
}

function percentiles(measurements: readonly Measurement[]): string {
  const lines = measurements.map(({ level, curve }) => ({
    name: levelText(level),
    points: curve.map(([percentile, ms]) => [nines(percentile), ms] as const),
  }));
  return linePlot(lines, {
    title: "Latency by percentile",
    xLabel: "percentile",
    yLabel: "ms",
    xTicks: [0, 50, 90, 99, 99.9, 99.99].map((value) => [nines(value), String(value)] as const),
  });
}

function stages(measurements: readonly Measurement[]): string[] {
  const bars = measurements.flatMap(({ level, stageMs, latencyMs }): Bar[] => {
    if (stageMs === undefined) return [];
    const parts = STAGES.map((stage) => [stage, stageMs[stage] ?? 0] as const);
    const inServer = parts.reduce((sum, [, ms]) => sum + ms, 0);
    const rest = Math.max(0, latencyMs.mean - inServer);
    return [{ name: levelText(level), parts: [...parts, ["client, network", rest]] }];
  });
  if (bars.length === 0) return [];
  return [barPlot(bars, { title: "Mean time by stage", xLabel: "load", yLabel: "ms" })];
}
